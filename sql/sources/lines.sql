-- lines: grain one line of the text file at the variable path, streamed; no character is special but the line end.
-- The delimiter is one that no text file has.
create or replace temp view lines as
select row_number() over () as row, rtrim(line, chr(13)) as line
from read_csv(getvariable('path'), columns = {'line': 'varchar'}, delim = chr(1) || chr(2) || chr(3) || chr(4), quote = '', escape = '',
              header = false, auto_detect = false, strict_mode = false, max_line_size = 20_000_000,
              compression = getvariable('compression'));
