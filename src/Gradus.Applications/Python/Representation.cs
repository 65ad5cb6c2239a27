using System.Globalization;
using System.Text;

namespace Gradus.Applications.Python;

/// <summary>repr(): how a value looks in a program.</summary>
internal static class Representation
{
    public static void Append(Interpreter it, StringBuilder to, Value value, int depth)
    {
        if (depth > 200)
        {
            to.Append("...");
            return;
        }
        Memory.Check(to.Length * 2L);
        if (value.IsSmall)
        {
            to.Append(value.Bits);
            return;
        }
        if (value.IsFloat)
        {
            to.Append(OfFloat(value.Float));
            return;
        }
        switch (value.Ref)
        {
            case BoolObject: to.Append(value.Bits == 1 ? "True" : "False"); break;
            case NoneObject: to.Append("None"); break;
            case StrObject s: Quote(to, s.Text); break;
            case BigObject b: to.Append(OfBig(b.Value)); break;
            case ListObject l: Items(it, to, l.ToArray(), "[", "]", depth); break;
            case TupleObject { Named: null } t: Items(it, to, t.Items, "(", t.Items.Length == 1 ? ",)" : ")", depth); break;
            case TupleObject t: NamedTuple(it, to, t, depth); break;
            case DictObject d: Dict(it, to, d, depth); break;
            case SetObject s: Set(it, to, s, depth); break;
            case DictView v: View(it, to, v, depth); break;
            case RangeObject r: to.Append($"range({r.Start}, {r.Stop}{(r.Step == 1 ? "" : $", {r.Step}")})"); break;
            case BytesObject b: Bytes(to, b.Data); break;
            case SliceObject s: to.Append($"slice({Operations.Repr(it, s.Start)}, {Operations.Repr(it, s.Stop)}, {Operations.Repr(it, s.Step)})"); break;
            case FunctionObject f: to.Append($"<function {f.Name}>"); break;
            case NativeFunction n: to.Append($"<built-in function {n.Name}>"); break;
            case BoundMethod { Function.Ref: FunctionObject f }: to.Append($"<bound method {f.Name}>"); break;
            case PyClass c: to.Append(c.IsBuiltin ? $"<class '{c.Name}'>" : $"<class '__main__.{c.Name}'>"); break;
            case ModuleObject m: to.Append($"<module '{m.Name}'>"); break;
            case GeneratorObject g: to.Append($"<generator object {g.Name}>"); break;
            case Sentinel: to.Append(value.Is(Value.Ellipsis) ? "Ellipsis" : "NotImplemented"); break;
            case InstanceObject i: Instance(it, to, value, i, depth); break;
            default:
                Value method = value.Class.Find("__repr__");
                to.Append(method.IsUnbound ? $"<{value.Class.Name} object>" : it.Call(method, value).Text);
                break;
        }
    }

    private static void Items(Interpreter it, StringBuilder to, Value[] items, string open, string close, int depth)
    {
        to.Append(open);
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0)
                to.Append(", ");
            Append(it, to, items[i], depth + 1);
        }
        to.Append(close);
    }

    private static void NamedTuple(Interpreter it, StringBuilder to, TupleObject tuple, int depth)
    {
        if (tuple.Named!.Find("__repr__") is { Ref: FunctionObject } own)
        {
            to.Append(it.Call(own, Value.Of(tuple)).Text);
            return;
        }
        Value[] names = ((TupleObject)tuple.Named.Find("_fields").Ref!).Items;
        to.Append(tuple.Named.Name).Append('(');
        for (int i = 0; i < names.Length; i++)
        {
            to.Append(i > 0 ? ", " : "").Append(names[i].Text).Append('=');
            Append(it, to, tuple.Items[i], depth + 1);
        }
        to.Append(')');
    }

    private static void Dict(Interpreter it, StringBuilder to, DictObject dict, int depth)
    {
        if (dict.Of == Collections.Counter)
        {
            to.Append(dict.Table.Count == 0 ? "Counter()" : "Counter(");
            if (dict.Table.Count == 0)
                return;
            Pairs(it, to, Collections.MostCommon(it, dict, int.MaxValue), depth);
            to.Append(')');
            return;
        }
        if (dict.Of == Collections.DefaultDict)
        {
            to.Append("defaultdict(");
            Append(it, to, dict.Factory.IsUnbound ? Value.None : dict.Factory, depth + 1);
            to.Append(", ");
        }
        else if (dict.Of == Collections.OrderedDict)
        {
            to.Append(dict.Table.Count == 0 ? "OrderedDict()" : "OrderedDict(");
            if (dict.Table.Count == 0)
                return;
        }
        List<(Value, Value)> pairs = [];
        int place = 0;
        while (dict.Table.Next(ref place, out Value key, out Value value))
            pairs.Add((key, value));
        Pairs(it, to, pairs, depth);
        if (dict.Of != Types.Dict)
            to.Append(')');
    }

    private static void Pairs(Interpreter it, StringBuilder to, IReadOnlyList<(Value Key, Value Value)> pairs, int depth)
    {
        to.Append('{');
        for (int i = 0; i < pairs.Count; i++)
        {
            if (i > 0)
                to.Append(", ");
            Append(it, to, pairs[i].Key, depth + 1);
            to.Append(": ");
            Append(it, to, pairs[i].Value, depth + 1);
        }
        to.Append('}');
    }

    private static void Set(Interpreter it, StringBuilder to, SetObject set, int depth)
    {
        if (set.Table.Count == 0)
        {
            to.Append(set.Frozen ? "frozenset()" : "set()");
            return;
        }
        if (set.Frozen)
            to.Append("frozenset(");
        Items(it, to, set.Table.Keys(), "{", "}", depth);
        if (set.Frozen)
            to.Append(')');
    }

    private static void View(Interpreter it, StringBuilder to, DictView view, int depth)
    {
        to.Append(view.ClassOf.Name).Append('(');
        Items(it, to, Operations.ToArray(it, Value.Of(view)), "[", "]", depth);
        to.Append(')');
    }

    private static void Instance(Interpreter it, StringBuilder to, Value value, InstanceObject instance, int depth)
    {
        Value method = instance.Of.Find("__repr__");
        if (method.Ref is FunctionObject or NativeFunction)
            to.Append(it.Call(method, value).Text ?? throw Errors.Type("__repr__ returned non-string"));
        else if (instance.Of.Is(Types.BaseException))
            Items(it, to.Append(instance.Of.Name), ((TupleObject)instance.Attributes["args"].Ref!).Items, "(", ")", depth);
        else if (!instance.Base.IsUnbound)
            Append(it, to, instance.Base, depth + 1);
        else
            to.Append($"<__main__.{instance.Of.Name} object>");
    }

    /// <summary>A float as Python writes it: the shortest digits that give it again.</summary>
    public static string OfFloat(double d)
    {
        if (double.IsNaN(d))
            return "nan";
        if (double.IsInfinity(d))
            return d > 0 ? "inf" : "-inf";
        string text = d.ToString("E16", CultureInfo.InvariantCulture);
        string shortest = d.ToString("R", CultureInfo.InvariantCulture);
        int exponent = d == 0 ? 0 : int.Parse(text[(text.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        // The digits of the shortest form, however .NET writes them.
        string digits = shortest.Split('E')[0].Replace("-", "", StringComparison.Ordinal).Replace(".", "", StringComparison.Ordinal).TrimStart('0');
        digits = digits.TrimEnd('0');
        if (digits.Length == 0)
            digits = "0";
        if (shortest.Contains('E', StringComparison.Ordinal))
            exponent = int.Parse(shortest[(shortest.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        string sign = double.IsNegative(d) ? "-" : "";
        if (exponent is < -4 or >= 16)
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        if (digits.Length <= exponent + 1)
            return $"{sign}{digits}{new string('0', exponent + 1 - digits.Length)}.0";
        return $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    public static string OfBig(System.Numerics.BigInteger value)
    {
        // Python refuses more than 4,300 digits; here the work is what is limited.
        if (value.GetBitLength() > 200_000)
            throw Errors.Value("Exceeds the limit for integer string conversion");
        return value.ToString(CultureInfo.InvariantCulture);
    }

    private static void Quote(StringBuilder to, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        to.Append(quote);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == quote || c == '\\')
                to.Append('\\').Append(c);
            else if (c == '\n')
                to.Append("\\n");
            else if (c == '\r')
                to.Append("\\r");
            else if (c == '\t')
                to.Append("\\t");
            else if (c < ' ' || c is >= '\u007f' and < '\u00a1')
                to.Append($"\\x{(int)c:x2}");
            else if (char.IsSurrogate(c) ? !(char.IsHighSurrogate(c) && i + 1 < text.Length) && !(char.IsLowSurrogate(c) && i > 0) : char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                to.Append($"\\u{(int)c:x4}");
            else
                to.Append(c);
        }
        to.Append(quote);
    }

    private static void Bytes(StringBuilder to, byte[] data)
    {
        to.Append("b'");
        foreach (byte b in data)
            to.Append(b switch { (byte)'\n' => "\\n", (byte)'\r' => "\\r", (byte)'\t' => "\\t", (byte)'\\' => "\\\\", (byte)'\'' => "\\'", >= 32 and < 127 => ((char)b).ToString(), _ => $"\\x{b:x2}" });
        to.Append('\'');
    }
}
