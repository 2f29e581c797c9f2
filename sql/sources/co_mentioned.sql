-- What else people who named these films name: a ranking for each sample, best first, at most $k films.
-- Expects mentioned(sample, conversation, film, is_seen, is_train): the films that come up in each sample's conversation,
-- and whether before the answer (is_seen) or in it. Only conversations of training (is_train) are learned from.
-- Grain: (sample, rank), rank from 1.
--   score   sum over the films seen of P(a conversation names this film | it names the seen one); films are ranked by
--           it, then by how many conversations name them, then by name
with named as (select distinct conversation, film from mentioned where is_train),
popular as (select film, count(*) as n from named group by film),
together as (
    select m.sample, other.film, sum(1 / p.n) as score
    from mentioned m
    join popular p using (film)
    join named own on own.film = m.film
    join named other on other.conversation = own.conversation
    where m.is_seen
    group by m.sample, other.film
),
-- Films that everybody names fill the list where too few were named together with those seen; some of them are the
-- sample's own, and then don't count.
common as (
    from popular
    order by n desc, film
    limit $k + (select max(films) from (select count(*) as films from mentioned group by sample))
),
candidates as (
    select sample, film, max(score) as score
    from (
        from together
        union all
        select sample, film, 0 as score from (select distinct sample from mentioned), common
    )
    group by sample, film
),
ranked as (
    select sample, film, row_number() over (partition by sample order by score desc, n desc, film) as rank
    from candidates join popular using (film) anti join mentioned using (sample, film)
)
select sample, rank, film from ranked where rank <= $k order by sample, rank;
