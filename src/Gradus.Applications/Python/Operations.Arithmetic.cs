using System.Numerics;

namespace Gradus.Applications.Python;

internal static partial class Operations
{
    private static readonly string[] OperatorSymbols = ["+", "-", "*", "/", "//", "%", "** or pow()", "<<", ">>", "&", "|", "^", "@"];
    private static readonly string[] OperatorNames = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor", "matmul"];

    /// <summary>Bits of the largest whole number.</summary>
    private const long MostBits = 1L << 24;

    public static Value Binary(Interpreter it, BinaryOperator op, Value a, Value b)
    {
        if (BinaryExpression.Fast(op, a, b, out Value result))
            return result;
        if (a.IsNumber && b.IsNumber)
            return Numbers(it, op, a, b);
        if (a.Ref is InstanceObject || b.Ref is InstanceObject)
        {
            result = OfObjects(it, op, a, b);
            if (!result.IsUnbound)
                return result;
            Value x = Unwrapped(a), y = Unwrapped(b);
            return x.Is(a) && y.Is(b) ? throw Errors.Operand(OperatorSymbols[(int)op], a, b) : Binary(it, op, x, y);
        }
        result = op switch
        {
            BinaryOperator.Add => Concatenate(a, b),
            BinaryOperator.Multiply => a.IsInteger ? Repeat(it, b, a) : b.IsInteger ? Repeat(it, a, b) : default,
            BinaryOperator.Modulo when a.Ref is StrObject s => Value.Of(Formatting.Percent(it, s.Text, b)),
            BinaryOperator.Or when a.Ref is DictObject x && b.Ref is DictObject y => Merged(x, y),
            BinaryOperator.Or when a.Ref is PyClass or NoneObject && b.Ref is PyClass or NoneObject => Value.Of(new TupleObject([a, b])),
            BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Xor or BinaryOperator.Subtract => Sets(op, a, b),
            _ => default,
        };
        if (result.IsUnbound && a.Ref is DictObject { Of: var kind } counter && kind == Collections.Counter && b.Ref is DictObject other)
            result = Collections.Combine(it, op, counter, other);
        return result.IsUnbound ? throw Failed(op, a, b) : result;
    }

    private static PyError Failed(BinaryOperator op, Value a, Value b)
    {
        if (op == BinaryOperator.Add && a.Ref is StrObject)
            return Errors.Type($"can only concatenate str (not \"{b.Class.Name}\") to str");
        if (op == BinaryOperator.Add && a.Ref is ListObject or TupleObject)
            return Errors.Type($"can only concatenate {a.Class.Name} (not \"{b.Class.Name}\") to {a.Class.Name}");
        if (op == BinaryOperator.Multiply && (a.Ref is StrObject or ListObject or TupleObject || b.Ref is StrObject or ListObject or TupleObject))
            return Errors.Type($"can't multiply sequence by non-int of type '{(a.Ref is StrObject or ListObject or TupleObject ? b : a).Class.Name}'");
        return Errors.Operand(OperatorSymbols[(int)op], a, b);
    }

    private static Value OfObjects(Interpreter it, BinaryOperator op, Value a, Value b)
    {
        string name = OperatorNames[(int)op];
        bool second = a.Ref is InstanceObject && b.Ref is InstanceObject && b.Class != a.Class && b.Class.Is(a.Class);
        for (int turn = 0; turn < 2; turn++)
        {
            bool right = (turn == 0) == second;
            (Value self, Value other) = right ? (b, a) : (a, b);
            Value method = self.Ref is InstanceObject ? self.Class.Find(right ? $"__r{name}__" : $"__{name}__") : default;
            if (method.IsUnbound)
                continue;
            Value result = it.Call(method, self, other);
            if (!result.Is(Value.NotImplemented))
                return result;
        }
        return default;
    }

    /// <summary>a op= b: lists, sets and dicts change in place.</summary>
    public static Value InPlace(Interpreter it, BinaryOperator op, Value a, Value b)
    {
        switch (a.Ref)
        {
            case ListObject list when op == BinaryOperator.Add:
                list.AddRange(ToArray(it, b));
                return a;
            case ListObject list when op == BinaryOperator.Multiply && b.IsInteger:
                Value[] repeated = ((ListObject)Repeat(it, a, b).Ref!).ToArray();
                list.Replace(0, list.Count, repeated);
                return a;
            case SetObject { Frozen: false } set when SetOf(b) is not null && Sets(op, a, b) is { IsUnbound: false } made:
                Table table = ((SetObject)made.Ref!).Table;
                set.Table.Clear();
                set.Table.Update(table);
                return a;
            case DictObject dict when op == BinaryOperator.Or && b.Ref is DictObject other:
                dict.Table.Update(other.Table);
                return a;
            case InstanceObject instance:
                Value method = instance.Of.Find($"__i{OperatorNames[(int)op]}__");
                if (!method.IsUnbound && it.Call(method, a, b) is var result && !result.Is(Value.NotImplemented))
                    return result;
                if (instance.Base.Ref is ListObject && op == BinaryOperator.Add)
                {
                    InPlace(it, op, instance.Base, b);
                    return a;
                }
                break;
        }
        return Binary(it, op, a, b);
    }

    private static Value Merged(DictObject a, DictObject b)
    {
        DictObject merged = new(a.Table.Copy()) { Of = a.Of, Factory = a.Factory };
        if (a.Of == Collections.Counter)
            return default;
        merged.Table.Update(b.Table);
        return Value.Of(merged);
    }

    private static Value Concatenate(Value a, Value b)
    {
        switch (a.Ref)
        {
            case StrObject s when b.Ref is StrObject t:
                Memory.Check((s.Text.Length + (long)t.Text.Length) * 2);
                return Value.Of(s.Text + t.Text);
            case ListObject x when b.Ref is ListObject y:
                ListObject list = new(x.Count + y.Count);
                list.AddRange(x.Span);
                list.AddRange(y.Span);
                return Value.Of(list);
            case TupleObject x when b.Ref is TupleObject y:
                Memory.Check((x.Items.Length + (long)y.Items.Length) * 16);
                return Value.Of(new TupleObject([.. x.Items, .. y.Items]));
            case BytesObject x when b.Ref is BytesObject y:
                return Value.Of(new BytesObject([.. x.Data, .. y.Data]));
            default:
                return default;
        }
    }

    private static Value Repeat(Interpreter it, Value sequence, Value times)
    {
        if (sequence.Ref is not (StrObject or ListObject or TupleObject or BytesObject))
            return default;
        long n = times.HasBits ? Math.Max(0, times.Bits) : times.Big.Sign < 0 ? 0 : throw Errors.Overflow("cannot fit 'int' into an index-sized integer");
        long length = Length(it, sequence);
        if (n > 0 && length > long.MaxValue / n / 16)
            throw Errors.Memory();
        Memory.Check(length * n * 16);
        if (length * n > int.MaxValue / 2)
            throw Errors.Memory();
        if (sequence.Ref is StrObject s)
            return Value.Of(new System.Text.StringBuilder().Insert(0, s.Text, (int)n).ToString());
        if (sequence.Ref is BytesObject bytes)
            return Value.Of(new BytesObject([.. Enumerable.Repeat(bytes.Data, (int)n).SelectMany(d => d)]));
        Sequence(sequence, out ReadOnlySpan<Value> items);
        Value[] all = new Value[length * n];
        for (int i = 0; i < n; i++)
            items.CopyTo(all.AsSpan(i * items.Length));
        return sequence.Ref is ListObject ? Value.Of(new ListObject(all)) : Value.Of(new TupleObject(all));
    }

    private static Value Numbers(Interpreter it, BinaryOperator op, Value a, Value b)
    {
        if (op == BinaryOperator.Divide)
            return TrueDivide(a, b);
        if (a.IsFloat || b.IsFloat)
            return Floats(op, a.ToDouble(), b.ToDouble(), a, b);
        if (a.IsBool && b.IsBool && op is BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Xor)
            return Value.Of(op switch { BinaryOperator.And => a.Bits & b.Bits, BinaryOperator.Or => a.Bits | b.Bits, _ => a.Bits ^ b.Bits } == 1);
        BigInteger x = a.Big, y = b.Big;
        switch (op)
        {
            case BinaryOperator.Add: return Value.Of(x + y);
            case BinaryOperator.Subtract: return Value.Of(x - y);
            case BinaryOperator.Multiply:
                Size(it, x.GetBitLength() + y.GetBitLength());
                return Value.Of(x * y);
            case BinaryOperator.FloorDivide: return Value.Of(FloorDivide(x, y).Quotient);
            case BinaryOperator.Modulo: return Value.Of(FloorDivide(x, y).Remainder);
            case BinaryOperator.Power: return Power(it, x, y);
            case BinaryOperator.ShiftLeft:
                if (y.Sign < 0)
                    throw Errors.Value("negative shift count");
                if (x.IsZero)
                    return Value.Of(0L);
                Size(it, y > MostBits ? long.MaxValue : x.GetBitLength() + (long)y);
                return Value.Of(x << (int)y);
            case BinaryOperator.ShiftRight:
                if (y.Sign < 0)
                    throw Errors.Value("negative shift count");
                return Value.Of(y > int.MaxValue ? (x.Sign < 0 ? -1 : 0) : x >> (int)y);
            case BinaryOperator.And: return Value.Of(x & y);
            case BinaryOperator.Or: return Value.Of(x | y);
            case BinaryOperator.Xor: return Value.Of(x ^ y);
            default: throw Errors.Operand(OperatorSymbols[(int)op], a, b);
        }
    }

    // Products of huge numbers take time of their own.
    private static void Size(Interpreter it, long bits)
    {
        if (bits > MostBits)
            throw Errors.Overflow("the number is too large");
        if (bits > 1 << 12)
            it.Burn(bits / 512 * (bits / (1 << 14) + 1));
    }

    public static (BigInteger Quotient, BigInteger Remainder) FloorDivide(BigInteger x, BigInteger y)
    {
        if (y.IsZero)
            throw Errors.ZeroDivision("integer division or modulo by zero");
        BigInteger quotient = BigInteger.DivRem(x, y, out BigInteger remainder);
        return !remainder.IsZero && remainder.Sign != y.Sign ? (quotient - 1, remainder + y) : (quotient, remainder);
    }

    private static Value TrueDivide(Value a, Value b)
    {
        if (a.IsFloat || b.IsFloat || (a.HasBits && b.HasBits && Math.Abs(a.Bits) < 1L << 53 && Math.Abs(b.Bits) < 1L << 53))
        {
            double divisor = b.ToDouble();
            return divisor == 0 ? throw Errors.ZeroDivision(a.IsFloat || b.IsFloat ? "float division by zero" : "division by zero") : Value.Of(a.ToDouble() / divisor);
        }
        return Value.Of(Quotient(a.Big, b.Big));
    }

    /// <summary>The quotient of whole numbers, rightly rounded.</summary>
    public static double Quotient(BigInteger x, BigInteger y)
    {
        if (y.IsZero)
            throw Errors.ZeroDivision("division by zero");
        if (x.IsZero)
            return 0;
        int sign = x.Sign * y.Sign;
        x = BigInteger.Abs(x);
        y = BigInteger.Abs(y);
        // 64 bits of the quotient and one for what was left over: the conversion rounds once.
        long shift = 64 - (x.GetBitLength() - y.GetBitLength());
        BigInteger scaled = shift >= 0 ? x << (int)shift : x, divisor = shift < 0 ? y << (int)-shift : y;
        BigInteger quotient = BigInteger.DivRem(scaled, divisor, out BigInteger rest);
        quotient = (quotient << 1) | (rest.IsZero ? 0 : 1);
        double result = Math.ScaleB(RoundToDouble(quotient), (int)(-shift - 1));
        return double.IsInfinity(result) ? throw Errors.Overflow("integer division result too large for a float") : sign * result;
    }

    private static double RoundToDouble(BigInteger value)
    {
        long bits = value.GetBitLength();
        if (bits <= 53)
            return (double)value;
        int drop = (int)bits - 53;
        BigInteger kept = value >> drop, rest = value - (kept << drop), half = BigInteger.One << (drop - 1);
        if (rest > half || (rest == half && !kept.IsEven))
            kept++;
        return Math.ScaleB((double)kept, drop);
    }

    private static Value Floats(BinaryOperator op, double x, double y, Value a, Value b)
    {
        switch (op)
        {
            case BinaryOperator.Add: return Value.Of(x + y);
            case BinaryOperator.Subtract: return Value.Of(x - y);
            case BinaryOperator.Multiply: return Value.Of(x * y);
            case BinaryOperator.FloorDivide:
                return y == 0 ? throw Errors.ZeroDivision("float floor division by zero") : Value.Of(Math.Round((x - Modulo(x, y)) / y));
            case BinaryOperator.Modulo:
                return y == 0 ? throw Errors.ZeroDivision("float modulo") : Value.Of(Modulo(x, y));
            case BinaryOperator.Power:
                if (x == 0 && y < 0)
                    throw Errors.ZeroDivision("0.0 cannot be raised to a negative power");
                if (x < 0 && y != Math.Floor(y))
                    throw Errors.Value("a negative number raised to a fraction is complex, which is not part of this Python");
                double power = Math.Pow(x, y);
                return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y) ? throw Errors.Overflow("(34, 'Numerical result out of range')") : Value.Of(power);
            default: throw Errors.Operand(OperatorSymbols[(int)op], a, b);
        }
    }

    public static double Modulo(double x, double y)
    {
        double r = x % y;
        if (r != 0 && (r < 0) != (y < 0))
            r += y;
        return r == 0 ? Math.CopySign(0, y) : r;
    }

    private static Value Power(Interpreter it, BigInteger x, BigInteger y)
    {
        if (y.Sign < 0)
            return x.IsZero ? throw Errors.ZeroDivision("0.0 cannot be raised to a negative power") : Value.Of(Math.Pow((double)x, (double)y));
        if (x.IsOne || x.IsZero || x == BigInteger.MinusOne)
            return Value.Of(y.IsZero || x.IsOne || (x == BigInteger.MinusOne && y.IsEven) ? 1L : x.IsZero ? 0L : -1L);
        Size(it, y > MostBits ? long.MaxValue : x.GetBitLength() * (long)y);
        return Value.Of(BigInteger.Pow(x, (int)y));
    }

    public static Value Negate(Value value) => value.IsFloat ? Value.Of(-value.Float) : Value.Of(-value.Big);

    public static Value Unary(Interpreter it, UnaryOperator op, Value value)
    {
        if (value.IsNumber)
        {
            if (op == UnaryOperator.Invert)
                return value.IsFloat ? throw Errors.Type("bad operand type for unary ~: 'float'") : Value.Of(-value.Big - 1);
            return op == UnaryOperator.Negate ? Negate(value) : value.IsBool ? Value.Of(value.Bits) : value;
        }
        Value method = value.Class.Find(op switch { UnaryOperator.Negate => "__neg__", UnaryOperator.Plus => "__pos__", _ => "__invert__" });
        if (!method.IsUnbound)
            return it.Call(method, value);
        Value inner = Unwrapped(value);
        if (!inner.Is(value))
            return Unary(it, op, inner);
        if (value.Ref is DictObject { Of: var of } counter && of == Collections.Counter)
            return Collections.Signed(it, counter, op == UnaryOperator.Negate);
        throw Errors.Type($"bad operand type for unary {(op == UnaryOperator.Negate ? "-" : op == UnaryOperator.Plus ? "+" : "~")}: '{value.Class.Name}'");
    }

    private static Value Sets(BinaryOperator op, Value a, Value b)
    {
        if (a.Ref is not (SetObject or DictView) || SetOf(a) is not { } x || SetOf(b) is not { } y)
            return default;
        Table result = new();
        switch (op)
        {
            case BinaryOperator.And:
                foreach (Value key in x.Keys())
                {
                    if (y.Contains(key))
                        result.Add(key);
                }
                break;
            case BinaryOperator.Or:
                result = x.Copy();
                result.Update(y);
                break;
            case BinaryOperator.Subtract or BinaryOperator.Xor:
                foreach (Value key in x.Keys())
                {
                    if (!y.Contains(key))
                        result.Add(key);
                }
                foreach (Value key in op == BinaryOperator.Xor ? y.Keys() : [])
                {
                    if (!x.Contains(key))
                        result.Add(key);
                }
                break;
            default:
                return default;
        }
        return Value.Of(new SetObject(result, a.Ref is SetObject { Frozen: true }));
    }
}
