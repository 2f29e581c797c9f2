-- records: the one object of the JSON file at the variable path, which unpacks to the variable size, in bytes.
create or replace temp view records as
select 1 as row, json::varchar as content, json
from read_json_objects(getvariable('path'), format = 'unstructured', maximum_object_size = getvariable('size') + 1,
                       compression = getvariable('compression'));
