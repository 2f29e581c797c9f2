-- records: grain one line of the JSON-lines file at the variable path; lines that are no JSON go to rejects.
-- Built on lines.sql and begin.sql.
insert into rejects
select row, line, if(json_valid(regexp_replace(line, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '', 'g')),
                     'it has half a character (a lone surrogate, such as \ud800)', 'no JSON')
from lines where trim(line) <> '' and not json_valid(line);

create or replace temp view records as
select row, line as content, line::json as json from lines where json_valid(line);
