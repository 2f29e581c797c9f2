-- Trait definitions -> traits, trait_tags, trait_weights, trait_synonyms, tag_synonyms. Expects the same with new_ before
-- their names. A definition replaces what it brings: one without weights leaves the weights.
insert into traits
select trait, (select coalesce(max(ordinal) + 1, 0) from traits) + row_number() over (order by ordinal) - 1
from (from new_traits anti join traits using (trait));

delete from trait_tags where trait in (select trait from new_trait_tags);
insert into trait_tags select trait, tag from new_trait_tags;

delete from trait_weights where trait in (select trait from new_trait_weights);
insert into trait_weights select trait, category, weight from new_trait_weights;

delete from trait_synonyms where trait in (select trait from new_trait_synonyms);
insert into trait_synonyms select trait, synonym from new_trait_synonyms;

insert into tag_synonyms from (from new_tag_synonyms anti join tag_synonyms using (tag, synonym));
