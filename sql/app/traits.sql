-- grain: one trait of the store, in its order.
select trait from traits order by ordinal;
