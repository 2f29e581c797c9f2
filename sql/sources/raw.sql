-- raw: what one source holds, as text. Grain: one row of the file; row is its number, content the row as it stands.
create or replace temp table raw as from raw_rows;
