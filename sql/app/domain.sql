-- What the store recommends. grain: the store.
select noun as one, nouns as many from domain;
