import pytest

from housekeeping import rights
from housekeeping.exceptions import NotAllowed
from housekeeping.models import Run
from housekeeping.rights import Rights
from tests import make
from tests.visitors import account


@pytest.mark.parametrize("act", rights.TO_ACT)
def test_a_superuser_may_do_everything_and_a_viewer_nothing(act):
    assert Rights(operate=True, configure=True).may(act, Run())
    assert not rights.NOTHING.may(act, Run())


def test_the_retry_of_an_undo_needs_the_right_to_undo_as_well():
    undo = Run(undo_of=Run())

    assert Rights(operate=True).may("retry", Run())
    assert [Rights(operate=True).may("retry", undo), Rights(configure=True).may("retry", undo)] == [False] * 2
    assert Rights(operate=True, configure=True).may("retry", undo)


@pytest.mark.django_db
def test_the_rights_of_somebody_are_their_permissions():
    undo = Run(undo_of=Run())

    assert rights.of(account("view_run", "operate")) == Rights(operate=True)
    assert rights.of(make.administrator()) == Rights(operate=True, configure=True)
    with pytest.raises(NotAllowed, match="right to configure"):
        rights.check_retry(account("operate"), undo)
