-- Trait definitions -> traits, trait_tags, trait_weights. Expects new_traits(trait, ordinal), new_tags(trait, tag) and
-- new_weights(trait, category, weight). A definition replaces what it brings: one without weights leaves the weights.
insert into traits
select trait, (select coalesce(max(ordinal) + 1, 0) from traits) + row_number() over (order by ordinal) - 1
from (from new_traits anti join traits using (trait));

delete from trait_tags where trait in (select trait from new_tags);
insert into trait_tags select trait, tag from new_tags;

delete from trait_weights where trait in (select trait from new_weights);
insert into trait_weights select trait, category, weight from new_weights;
