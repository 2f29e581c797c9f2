-- What people decided about titles: which film a way to write one means. Kept in files beside the store, never in it, and read anew by each
-- statement; alias_files() names them (SET VARIABLE alias_files = ['<path>'] where the store has moved). Built on store/schema.sql.
-- A line is a JSON object of title, year, imdb_id, action (confirm, reject, undo), at; lines that are none are left out. The same rules are in
-- oracle/titles/aliases.py, which writes them.

-- alias_decisions: grain a title and year as written; the decision that holds. An undo takes back the latest one about the same title and year.
create or replace view alias_decisions as
-- Bytes are parted at line ends before they are read as text: a line that is no text spoils no other.
with files as (
    select filename, string_split(regexp_replace(hex(content), '(..)', '\1 ', 'g'), '0A ') as lines from read_blob(alias_files())
),
lines as (
    select filename, n, regexp_replace(try(decode(unhex(replace(octets, ' ', '')))), '^\x{FEFF}', '') as line -- with which some editors begin a file
    from (select filename, unnest(range(len(lines))) as n, unnest(lines) as octets from files)
),
objects as (
    select filename, n, line::json as decision from lines
    where json_valid(line) and not regexp_matches(line, ',\s*\}\s*$') -- DuckDB lets a comma behind the last pair pass
        and json_type(line) = 'OBJECT' and list_sort(json_keys(line)) = ['action', 'at', 'imdb_id', 'title', 'year']
),
fields as (
    select filename, n, decision ->> '$.title' as title, try_cast(decision ->> '$.year' as smallint) as year, decision ->> '$.imdb_id' as imdb_id,
           decision ->> '$.action' as action, decision ->> '$.at' as decided_at,
           -- White space is here what it is to Python.
           json_type(decision, '$.title') = 'VARCHAR' and regexp_matches(title, '[^\t-\r\x1c-\x1f\x85\p{Z}]') and length(title) <= 500
           and (json_type(decision, '$.year') = 'NULL'
                or json_type(decision, '$.year') in ('UBIGINT', 'BIGINT') and coalesce(year between 1800 and 2200, false))
           and (json_type(decision, '$.imdb_id') = 'NULL' and action <> 'confirm'
                or json_type(decision, '$.imdb_id') = 'VARCHAR' and length(imdb_id) between 1 and 100
                   and not regexp_matches(imdb_id, '^[\t-\r\x1c-\x1f\x85\p{Z}]|[\t-\r\x1c-\x1f\x85\p{Z}]$'))
           and json_type(decision, '$.action') = 'VARCHAR' and action in ('confirm', 'reject', 'undo')
           and json_type(decision, '$.at') = 'VARCHAR'
           and not contains(title || coalesce(imdb_id, '') || decided_at, chr(0)) as is_decision
    from objects
),
-- The file of the older name, which is the shorter one, comes first.
numbered as (
    select *, row_number() over (order by length(filename), n) as place from fields where is_decision
),
-- Decisions lie in a heap, of which an undo takes the topmost: how high it is after each.
sums as (
    select *, sum(if(action = 'undo', -1, 1)) over (partition by title, year order by place) as total from numbered
),
heights as (
    select *, total - least(0, min(total) over (partition by title, year order by place)) as height from sums
),
ends as (select *, last_value(height) over (partition by title, year order by place rows between unbounded preceding and unbounded following) as final from heights)
select title, year, imdb_id, action, decided_at, place from ends
where action <> 'undo' and height = final
qualify row_number() over (partition by title, year order by place desc) = 1;

-- held_decisions: grain a way to write a film that a person decided about, with a year or without; of several of one key the one of the
-- highest place holds. is_refused: it does not mean this film (imdb_id null: none that is known).
create or replace view held_decisions as
select title, year, imdb_id, false as is_refused, -1 as place from title_alias
qualify row_number() over (partition by title, year order by confirmed_at desc) = 1
union all
select title, year, imdb_id, action = 'reject', place from alias_decisions;
