"""Charts can be read: their axes."""

import pytest

from app.components.charts import axis


@pytest.mark.parametrize(("form", "step"), [(".2f", 0.01), (".1f", 0.1), ("%", 0.01), (".1%", 0.001)])
def test_ticks_of_an_axis_are_no_closer_than_its_form_tells(form, step):
    assert axis(form).to_dict()["tickMinStep"] == pytest.approx(step)
