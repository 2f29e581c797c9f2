-- Notes a loaded source, in place of an earlier version of it.
insert or replace into sources by name
select $source_id as source_id, $path as path, $kind as kind, $rows_read as rows_read, $rows_rejected as rows_rejected,
       $digest as digest, current_timestamp as loaded_at;
