using Gradus.Applications.Python;

namespace Gradus.Applications.Tests.Python;

public sealed class InterpreterTests
{
    private static string Output(string program)
    {
        PythonResult result = Interpreter.Run(program);
        Assert.Null(result.Error);
        return result.Output.TrimEnd('\n');
    }

    [Theory]
    [InlineData("2 ** 100", "1267650600228229401496703205376")]
    [InlineData("7 // -2, 7 % -2, -7 // 2, -7 % 2, 7.5 // -2, -7.5 % 2", "(-4, -1, -4, 1, -4.0, 0.5)")]
    [InlineData("0.1 + 0.2, 1e16, 1e-5, 100.0, 1/3, float('inf'), -0.0", "(0.30000000000000004, 1e+16, 1e-05, 100.0, 0.3333333333333333, inf, -0.0)")]
    [InlineData("round(2.5), round(3.5), round(2.675, 2), round(1234, -2), round(-0.5)", "(2, 4, 2.67, 1200, 0)")]
    [InlineData("1 < 2 < 3, 1 == 1.0, True + True, 5 and 0 or 'x', not []", "(True, True, 2, 'x', True)")]
    [InlineData("10**20 // 7, -10**20 % 7, 10**20 / 3, divmod(-7, 3), pow(3, -1, 11), ~5, 5 ^ 3, 1 << 70", "(14285714285714285714, 5, 3.333333333333333e+19, (-3, 2), 4, -6, 6, 1180591620717411303424)")]
    [InlineData("'abc'[::-1], 'abc'[1:], 'a,b,,c'.split(','), ' a  b '.split(), 'x'.join(['1', '2']), 'abc'.find('z')", "('cba', 'bc', ['a', 'b', '', 'c'], ['a', 'b'], '1x2', -1)")]
    [InlineData("'%5.2f|%-5s|%05d|%x|%s' % (3.14159, 'ab', -42, 255, [1])", "' 3.14|ab   |-0042|ff|[1]'")]
    [InlineData("'{:>8,.2f}|{:^7}|{:+d}|{:#x}|{:08.3f}|{:e}|{:.3g}|{:%}'.format(1234567.891, 'mid', 5, 255, -3.14159, 12345.678, 0.00012345, 0.25)", "'1,234,567.89|  mid  |+5|0xff|-003.142|1.234568e+04|0.000123|25.000000%'")]
    [InlineData("f\"{'a' + 'b'!r:>6} {3.14159:.{2}f} {1 + 1 = } {{}}\"", "\"  'ab' 3.14 1 + 1 = 2 {}\"")]
    [InlineData("[x * y for x in range(3) for y in range(x) if x != y], {k: v for k, v in zip('ab', (1, 2))}, sum(i for i in range(5))", "([0, 0, 2], {'a': 1, 'b': 2}, 10)")]
    [InlineData("sorted(['b', 'A', 'c'], key=str.lower, reverse=True), max('ab', 'c', key=len), min([], default=0), list(map(lambda a, b: a + b, [1, 2], [3, 4]))", "(['c', 'b', 'A'], 'ab', 0, [4, 6])")]
    [InlineData("{1, 2} | {3}, {1, 2} & {2}, {1: 'a'} | {2: 'b'}, (1,) * 3, [1, 2, 3, 4][-3:-1], range(10)[2:8:3]", "({1, 2, 3}, {2}, {1: 'a', 2: 'b'}, (1, 1, 1), [2, 3], range(2, 8, 3))")]
    [InlineData("len('😀é'), '😀é'[0], ord('😀'), 'é'.encode(), b'\\xc3\\xa9'.decode(), chr(128512)", "(2, '😀', 128512, b'\\xc3\\xa9', 'é', '😀')")]
    [InlineData("int('0x1f', 16), int(' -12 '), int(3.99), float('1e3'), str(True), bool(''), list('ab'), tuple([1]), bin(10), int('z', 36)", "(31, -12, 3, 1000.0, 'True', False, ['a', 'b'], (1,), '0b1010', 35)")]
    public void Expressions(string expression, string expected) => Assert.Equal(expected, Output($"print(repr(({expression})))"));

    [Theory]
    [InlineData("def f(a, b=2, *args, c, d=4, **kw):\n    return a, b, args, c, d, kw\nprint(f(1, c=3), f(1, 5, 6, 7, c=8, e=9))", "(1, 2, (), 3, 4, {}) (1, 5, (6, 7), 8, 4, {'e': 9})")]
    [InlineData("def counter():\n    n = 0\n    def step():\n        nonlocal n\n        n += 1\n        return n\n    return step\na, b = counter(), counter()\nprint(a(), a(), b(), [f() for f in [lambda i=i: i for i in range(3)]])", "1 2 1 [0, 1, 2]")]
    [InlineData("def g():\n    x = yield 1\n    try:\n        yield x\n    finally:\n        print('closed')\ni = g()\nprint(next(i), i.send('sent'))\ni.close()\ndef h():\n    yield from [1, 2]\n    return 3\ndef k():\n    r = yield from h()\n    yield r\nprint(list(k()))", "1 sent\nclosed\n[1, 2, 3]")]
    [InlineData("class A:\n    n = 0\n    def __init__(self, x):\n        self.x = x\n        A.n += 1\n    def __eq__(self, o):\n        return self.x == o.x\n    def __repr__(self):\n        return f'A({self.x})'\n    @property\n    def double(self):\n        return self.x * 2\n    @classmethod\n    def make(cls):\n        return cls(7)\n    @staticmethod\n    def s():\n        return 's'\nclass B(A):\n    def __init__(self, x, y):\n        super().__init__(x)\n        self.y = y\n    def __add__(self, o):\n        return B(self.x + o.x, self.y)\nb = B(1, 2) + A(3)\nprint(b, b.double, A.make(), B.s(), isinstance(b, A), A.n, A(1) == A(1))", "A(4) 8 A(7) s True 4 True")]
    [InlineData("try:\n    try:\n        [][1]\n    except IndexError as e:\n        raise ValueError('bad') from e\nexcept (KeyError, ValueError) as e:\n    print(type(e).__name__, e, repr(e.__cause__))\nelse:\n    print('no')\nfinally:\n    print('end')", "ValueError bad IndexError('list index out of range')\nend")]
    [InlineData("class M:\n    def __enter__(self):\n        print('in')\n        return 5\n    def __exit__(self, t, v, tb):\n        print('out', t.__name__)\n        return True\nwith M() as m:\n    print(m)\n    1 / 0\nprint('after')", "in\n5\nout ZeroDivisionError\nafter")]
    [InlineData("a, *b, c = range(5)\n(d, e), f = (1, 2), 3\nx = [1, 2, 3]\nx[1:2] = [9, 9]\ndel x[0]\nx += [4]\nprint(b, d, e, f, x, (n := 4) + n)\nfor i in range(3):\n    if i == 1: continue\n    print(i, end=' ')\nelse:\n    print('done')\nwhile True:\n    break", "[1, 2, 3] 1 2 3 [9, 9, 3, 4] 8\n0 2 done")]
    [InlineData("from dataclasses import dataclass, field\nfrom enum import Enum, auto\n@dataclass(order=True)\nclass P:\n    x: int\n    y: int = 0\n    tags: list = field(default_factory=list, compare=False)\nclass C(Enum):\n    RED = auto()\n    BLUE = auto()\nprint(P(1), P(1) < P(2), P(1) == P(1), C.RED, C(2).name, [c.value for c in C], C['BLUE'] is C.BLUE)", "P(x=1, y=0, tags=[]) True True C.RED BLUE [1, 2] True")]
    [InlineData("from collections import Counter, defaultdict, deque, namedtuple, OrderedDict\nc = Counter('abracadabra')\nd = defaultdict(list)\nd['a'].append(1)\nq = deque([1, 2, 3], maxlen=2)\nP = namedtuple('P', 'x y')\np = P(1, y=2)\nprint(c.most_common(2), d, q, p, p.x + p.y, p._replace(x=5), Counter('aab') - Counter('a'))", "[('a', 5), ('b', 2)] defaultdict(<class 'list'>, {'a': [1]}) deque([2, 3], maxlen=2) P(x=1, y=2) 3 P(x=5, y=2) Counter({'a': 1, 'b': 1})")]
    [InlineData("import itertools as it, functools as ft, math, re, json, statistics as st\nfrom fractions import Fraction\nfrom decimal import Decimal\nfrom datetime import date, timedelta, datetime\nprint(list(it.combinations('abc', 2)), ft.reduce(lambda a, b: a * b, [1, 2, 3, 4]), math.comb(10, 3), math.isqrt(99))\nprint(re.findall(r'(\\w)(\\d)', 'a1 b2'), re.sub(r'(?P<x>\\d)', r'<\\g<x>>', 'a1'), json.dumps({'b': [1, None, True], 'a': 'é'}, sort_keys=True), json.loads('[1.5, {}]'))\nprint(st.mean([1, 2, 4]), st.median([3, 1, 2]), Fraction(3, 4) + Fraction(1, 4) / 2, Decimal('0.1') + Decimal('0.2'), Decimal(1) / Decimal(3))\nprint(date(2024, 2, 28) + timedelta(days=2), (date(2024, 3, 1) - date(2023, 3, 1)).days, datetime(2024, 1, 1, 13, 5).strftime('%A %d %B %Y %I:%M %p'))", "[('a', 'b'), ('a', 'c'), ('b', 'c')] 24 120 9\n[('a', '1'), ('b', '2')] a<1> {\"a\": \"\\u00e9\", \"b\": [1, null, true]} [1.5, {}]\n2.3333333333333335 2 7/8 0.3 0.3333333333333333333333333333\n2024-03-01 366 Monday 01 January 2024 01:05 PM")]
    [InlineData("import re\nfrom fractions import Fraction as F\nfrom decimal import Decimal as D\np = re.compile('(a)b')\nprint(p is re.compile('(a)b'), p is re.compile('(a)b', re.I), re.match('a', 'ba'), re.fullmatch('ab', 'abc'), p.match('ab').group(1))\nre.purge()\nprint(p is re.compile('(a)b'))\nprint(F(1, 2) < 0.75, F(1, 2) >= F(2, 3), D('0.5') >= 0.25, hash(F(2)) == hash(2), D('1.50') == D('1.5'), sorted([D(2), D('1.5')]))", "True False None None a\nFalse\nTrue False True True True [Decimal('1.5'), Decimal('2')]")]
    [InlineData("import random\nrandom.seed(42)\nprint(random.random(), random.randint(1, 100), [random.choice('abc') for _ in range(3)], random.sample(range(10), 3))", "0.6394267984578837 4 ['c', 'b', 'a'] [3, 2, 1]")]
    public void Programs(string program, string expected) => Assert.Equal(expected, Output(program));

    [Theory]
    [InlineData("x = 1\ny = x +\n", "line 2", "SyntaxError: invalid syntax at the end of the line")]
    [InlineData("def f(x):\n    return 1 / x\nprint(f(0))", "    return 1 / x\n             ^", "ZeroDivisionError: division by zero")]
    [InlineData("print(undefined)", "line 1, in <module>", "NameError: name 'undefined' is not defined")]
    [InlineData("{}['k']", "in <module>", "KeyError: 'k'")]
    [InlineData("'a' + 1", "in <module>", "TypeError: can only concatenate str (not \"int\") to str")]
    [InlineData("match x:\n    case 1: pass", "line 1", "SyntaxError")]
    [InlineData("import os", "line 1", "ModuleNotFoundError: No module named 'os'")]
    [InlineData("x = 2j", "line 1", "SyntaxError: complex numbers are not part of this Python")]
    public void ErrorsSayWhereAndWhat(string program, string where, string what)
    {
        string error = Interpreter.Run(program).Error!;
        Assert.Contains(where, error);
        Assert.Contains(what, error);
    }

    [Theory]
    [InlineData("while True: pass", "TimeoutError")]
    [InlineData("for i in iter(int, 1): pass", "TimeoutError")]
    [InlineData("try:\n    while True: pass\nexcept BaseException:\n    print('caught')", "TimeoutError")]
    [InlineData("sum(x for x in __import__('itertools').count())", "PermissionError")]
    [InlineData("x = [0]\nwhile True: x += x", "MemoryError")]
    [InlineData("'a' * 10 ** 12", "MemoryError")]
    [InlineData("10 ** 10 ** 10", "OverflowError")]
    [InlineData("1 << 10 ** 12", "OverflowError")]
    [InlineData("def f(): return f()\nf()", "RecursionError")]
    [InlineData("x = []\nfor _ in range(100000): x = [x]\nprint(x == [x])", null)]
    [InlineData("while True: print('x' * 1000)", "OutputError")]
    [InlineData("open('/etc/passwd')", "PermissionError")]
    [InlineData("().__class__.__bases__[0].__subclasses__()", "AttributeError")]
    [InlineData("(lambda: 0).__globals__", "AttributeError")]
    [InlineData("(lambda: 0).__code__", "AttributeError")]
    [InlineData("'{0.__class__.__init__.__globals__}'.format(1)", "AttributeError")]
    [InlineData("import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')", "TimeoutError")]
    [InlineData("eval('__import__(\"os\")')", "PermissionError")]
    [InlineData("exec('import subprocess')", "ModuleNotFoundError")]
    [InlineData("int.x = 1", "TypeError")]
    [InlineData("super(1, 2)", "TypeError")]
    [InlineData("t = ()\nfor _ in range(200000): t = (t,)\nhash(t)", null)]
    [InlineData("((((((((((", "SyntaxError")]
    public void NothingGetsOut(string program, string? error)
    {
        PythonResult result = Interpreter.Run(program, new PythonOptions(Steps: 3_000_000, MemoryBytes: 64 << 20, OutputCharacters: 100_000));
        if (error is null)
            Assert.True(result.Error is null || result.Error.Contains("RecursionError"), result.Error);
        else
            Assert.Contains(error, result.Error!);
        Assert.DoesNotContain("caught", result.Output);
    }

    [Fact]
    public void DeepBracketsAreRefusedAndDoNotEndTheProcess() =>
        Assert.Contains("SyntaxError", Interpreter.Run(new string('(', 100_000) + "1" + new string(')', 100_000)).Error!);

    [Fact]
    public void TheResultIsAVariableOrAFunctionsValue()
    {
        Assert.Equal("42", Interpreter.Run("answer = 6 * 7", resultVariable: "answer").Result);
        Assert.Equal("8", Interpreter.Run("def solution():\n    return 2 ** 3", resultVariable: "solution").Result);
        Assert.Null(Interpreter.Run("pass", resultVariable: "answer").Result);
    }

    [Fact]
    public void ProgramsShareNothing()
    {
        Assert.Null(Interpreter.Run("import math\nmath.pi = 3\nx = 1").Error);
        Assert.Equal("3.141592653589793", Output("import math\nprint(math.pi)"));
        Assert.Contains("NameError", Interpreter.Run("x").Error!);
    }
}
