namespace Gradus.Applications.Python;

/// <summary>operator.</summary>
internal static class OperatorModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        foreach ((string name, BinaryOperator op) in new[] { ("add", BinaryOperator.Add), ("sub", BinaryOperator.Subtract), ("mul", BinaryOperator.Multiply), ("truediv", BinaryOperator.Divide), ("floordiv", BinaryOperator.FloorDivide), ("mod", BinaryOperator.Modulo), ("pow", BinaryOperator.Power), ("lshift", BinaryOperator.ShiftLeft), ("rshift", BinaryOperator.ShiftRight), ("and_", BinaryOperator.And), ("or_", BinaryOperator.Or), ("xor", BinaryOperator.Xor) })
        {
            m.Add(name, (i, a, _) => Operations.Binary(i, op, a[0], a[1]), 2, 2);
            m.Add("i" + name, (i, a, _) => Operations.InPlace(i, op, a[0], a[1]), 2, 2);
        }
        m["concat"] = m["add"];
        foreach ((string name, Comparison op) in new[] { ("lt", Comparison.Less), ("le", Comparison.LessEqual), ("gt", Comparison.Greater), ("ge", Comparison.GreaterEqual), ("eq", Comparison.Equal), ("ne", Comparison.NotEqual), ("is_", Comparison.Is), ("is_not", Comparison.IsNot) })
            m.Add(name, (i, a, _) => Operations.Compare(i, op, a[0], a[1]), 2, 2);
        m.Add("contains", (i, a, _) => Value.Of(Operations.Contains(i, a[0], a[1])), 2, 2);
        m.Add("neg", (i, a, _) => Operations.Unary(i, UnaryOperator.Negate, a[0]), 1, 1);
        m.Add("pos", (i, a, _) => Operations.Unary(i, UnaryOperator.Plus, a[0]), 1, 1);
        m.Add("invert", (i, a, _) => Operations.Unary(i, UnaryOperator.Invert, a[0]), 1, 1);
        m.Add("not_", (i, a, _) => Value.Of(!Operations.Truth(i, a[0])), 1, 1);
        m.Add("truth", (i, a, _) => Value.Of(Operations.Truth(i, a[0])), 1, 1);
        m["abs"] = it.Builtins["abs"];
        m.Add("index", (_, a, _) => Value.Of(Operations.ToIndex(a[0])), 1, 1);
        m.Add("countOf", (i, a, _) => Value.Of((long)Operations.ToArray(i, a[0]).Count(v => Operations.Equal(v, a[1]))), 2, 2);
        m.Add("getitem", (i, a, _) => Operations.GetItem(i, a[0], a[1]), 2, 2);
        m.Add("setitem", (i, a, _) =>
        {
            Operations.SetItem(i, a[0], a[1], a[2]);
            return Value.None;
        }, 3, 3);
        m.Add("itemgetter", (_, keys, _) => Value.Of(new NativeFunction("itemgetter", (i, a, _) => keys.Length == 1 ? Operations.GetItem(i, a[0], keys[0]) : Library.Tuple([.. keys.Select(k => Operations.GetItem(i, a[0], k))]), 1, 1)), 1);
        m.Add("attrgetter", (_, names, _) => Value.Of(new NativeFunction("attrgetter", (i, a, _) => names.Length == 1 ? Follow(i, a[0], names[0]) : Library.Tuple([.. names.Select(n => Follow(i, a[0], n))]), 1, 1)), 1);
        m.Add("methodcaller", (_, args, k) => Value.Of(new NativeFunction("methodcaller", (i, a, _) => i.Call(Attributes.Get(i, a[0], args[0].Text!), args[1..], k), 1, 1)), 1);
    }

    private static Value Follow(Interpreter it, Value value, Value path) => path.Text!.Split('.').Aggregate(value, (v, name) => Attributes.Get(it, v, name));
}
