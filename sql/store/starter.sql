-- Fills an empty store from the bundled starter data. Built on store/schema.sql.
-- Expects the views starter_films (imdb_id, title, year, one column a category), starter_tags and starter_titles.

insert into sources (source_id, path, kind, rows_read, rows_rejected)
select 0, 'data/', 'starter data', count(*), 0 from starter_films;

insert into titles
select imdb_id, title, year, true, 0 from starter_films
union all
select imdb_id, a.title, year, false, 0 from starter_titles a join starter_films using (imdb_id);

insert into catalog select title, year, imdb_id from starter_films;

insert into film_tags select distinct imdb_id, tag, 0 from starter_tags;

insert into film_severities
select imdb_id, categories[column_name], list_position(['None', 'Mild', 'Moderate', 'Severe'], severity) - 1, 0
from (unpivot starter_films on sex_nudity, violence_gore, profanity, alcohol_drugs, frightening
      into name column_name value severity),
     (select map {'sex_nudity': 'Sex & Nudity', 'violence_gore': 'Violence & Gore', 'profanity': 'Profanity',
                  'alcohol_drugs': 'Alcohol, Drugs & Smoking', 'frightening': 'Frightening & Intense Scenes'} as categories);
