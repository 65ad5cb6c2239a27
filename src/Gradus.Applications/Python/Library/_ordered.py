class Ordered:
    # Compared by self._order(other): the sign of the difference, or None where there is no order.

    def __eq__(self, other):
        order = self._order(other)
        return NotImplemented if order is None else order == 0
    def __lt__(self, other):
        order = self._order(other)
        return NotImplemented if order is None else order < 0
    def __le__(self, other):
        order = self._order(other)
        return NotImplemented if order is None else order <= 0
    def __gt__(self, other):
        order = self._order(other)
        return NotImplemented if order is None else order > 0
    def __ge__(self, other):
        order = self._order(other)
        return NotImplemented if order is None else order >= 0
