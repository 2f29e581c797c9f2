-- Films of a catalog that was read for itself. Grain: one film; from titles where the source had ids.
select distinct title, year from (select title, year from catalog union all select title, year from titles where is_primary)
order by title, year;
