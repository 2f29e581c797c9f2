-- records: grain one line of the JSON-lines file at the variable path; lines that are no JSON go to rejects.
-- Built on lines.sql and begin.sql.
insert into rejects select row, line, 'no JSON' from lines where trim(line) <> '' and not json_valid(line);

create or replace temp view records as
select row, line as content, line::json as json from lines where json_valid(line);
