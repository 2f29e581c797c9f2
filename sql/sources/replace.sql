-- Takes out what a source ($source_id) brought in: an earlier version of the one being loaded.
delete from titles where source_id = getvariable('source_id');
delete from catalog where source_id = getvariable('source_id');
delete from film_tags where source_id = getvariable('source_id');
delete from film_severities where source_id = getvariable('source_id');
delete from given_risk where source_id = getvariable('source_id');
delete from tag_coverage where source_id = getvariable('source_id');
delete from other_ids where source_id = getvariable('source_id');
delete from rejects;
