class array(list):
    def __init__(self, typecode, values=()):
        self.typecode = typecode
        super().__init__(values)

    def tolist(self):
        return list(self)

    def __repr__(self):
        return f"array('{self.typecode}', {list(self)!r})" if len(self) else f"array('{self.typecode}')"
