-- A store that is brought up to date keeps when it was built, and its description. The older one is attached as old_store.
update store_info set created_at = held.created_at, description = held.description
from old_store.main.store_info as held;
