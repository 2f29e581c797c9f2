-- The source_id for a source with the path $path and the content $digest. A source keeps its id as long as its path stays, or its
-- content where it was moved: the paths of the other sources at hand ($named) keep theirs. 0 is what was handed over in memory.
select coalesce((select min(source_id) from sources where path = $path),
                (select min(source_id) from sources where digest = $digest and not list_contains($named, path)),
                (select greatest(coalesce(max(source_id), 0), 0) + 1 from sources));
