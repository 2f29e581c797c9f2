-- How many of the bundled films a store has, and what they are called. grain: the store.
select (select count(distinct imdb_id) from titles where source_id = 0 and exists (from sources where kind = 'starter data')) as bundled, nouns
from domain;
