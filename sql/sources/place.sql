-- The source_id for a source with the path $path and the content $digest, and how many earlier sources have a file of
-- the name $name. A source keeps its id as long as its path stays, or its content where it was moved. 0 is what was handed over in memory.
with known as (
    select coalesce((select min(source_id) from sources where path = $path),
                    (select min(source_id) from sources where digest = $digest),
                    (select greatest(coalesce(max(source_id), 0), 0) + 1 from sources)) as id
)
select id, (select count(*) from sources where source_id < id and parse_filename(path) = $name) from known;
