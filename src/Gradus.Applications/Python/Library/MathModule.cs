using System.Numerics;

namespace Gradus.Applications.Python;

/// <summary>math.</summary>
internal static class MathModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m["pi"] = Value.Of(Math.PI);
        m["e"] = Value.Of(Math.E);
        m["tau"] = Value.Of(Math.Tau);
        m["inf"] = Value.Of(double.PositiveInfinity);
        m["nan"] = Value.Of(double.NaN);
        foreach ((string name, Func<double, double> f) in new (string, Func<double, double>)[]
        {
            ("sin", Math.Sin), ("cos", Math.Cos), ("tan", Math.Tan), ("atan", Math.Atan), ("sinh", Math.Sinh), ("cosh", Math.Cosh), ("tanh", Math.Tanh), ("asinh", Math.Asinh),
            ("exp", Math.Exp), ("exp2", x => Math.Pow(2, x)), ("expm1", x => Math.Abs(x) < 1e-5 ? x + (x * x / 2) + (x * x * x / 6) : Math.Exp(x) - 1), ("cbrt", Math.Cbrt), ("fabs", Math.Abs),
            ("degrees", x => x * (180 / Math.PI)), ("radians", x => x * (Math.PI / 180)), ("gamma", x => Gamma(x)), ("lgamma", LogGamma), ("erf", Erf), ("erfc", x => 1 - Erf(x)), ("ulp", x => Math.BitIncrement(Math.Abs(x)) - Math.Abs(x)),
        })
            m.Add(name, (_, a, _) => Real(f, Number(a[0])), 1, 1);
        foreach ((string name, Func<double, double> f, Func<double, bool> inside) in new (string, Func<double, double>, Func<double, bool>)[]
        {
            ("asin", Math.Asin, x => Math.Abs(x) <= 1), ("acos", Math.Acos, x => Math.Abs(x) <= 1), ("acosh", Math.Acosh, x => x >= 1), ("atanh", Math.Atanh, x => Math.Abs(x) < 1), ("log1p", x => Math.Abs(x) < 1e-5 ? x - (x * x / 2) + (x * x * x / 3) : Math.Log(1 + x), x => x > -1),
        })
            m.Add(name, (_, a, _) => inside(Number(a[0])) || double.IsNaN(Number(a[0])) ? Value.Of(f(Number(a[0]))) : throw Errors.Value("math domain error"), 1, 1);
        Whole(m);
        Logarithms(m);
        m.Add("sqrt", (_, a, _) => Number(a[0]) is var x && x < 0 ? throw Errors.Value("math domain error") : Value.Of(Math.Sqrt(x)), 1, 1);
        m.Add("pow", (_, a, _) => Power(Number(a[0]), Number(a[1])), 2, 2);
        m.Add("atan2", (_, a, _) => Value.Of(Math.Atan2(Number(a[0]), Number(a[1]))), 2, 2);
        m.Add("hypot", (_, a, _) => Value.Of(Hypotenuse(a.Select(Number))));
        m.Add("dist", (i, a, _) => Value.Of(Hypotenuse(Operations.ToArray(i, a[0]).Zip(Operations.ToArray(i, a[1]), (x, y) => Number(x) - Number(y)))), 2, 2);
        m.Add("copysign", (_, a, _) => Value.Of(Math.CopySign(Number(a[0]), Number(a[1]))), 2, 2);
        m.Add("fmod", (_, a, _) => Number(a[1]) == 0 ? throw Errors.Value("math domain error") : Value.Of(Math.IEEERemainder(0, 1) + (Number(a[0]) % Number(a[1]))), 2, 2);
        m.Add("remainder", (_, a, _) => Value.Of(Math.IEEERemainder(Number(a[0]), Number(a[1]))), 2, 2);
        m.Add("modf", (_, a, _) => Number(a[0]) is var x ? Library.Tuple(Value.Of(x - Math.Truncate(x)), Value.Of(Math.Truncate(x))) : default, 1, 1);
        m.Add("frexp", (_, a, _) => Split(Number(a[0])), 1, 1);
        m.Add("ldexp", (_, a, _) => Value.Of(Math.ScaleB(Number(a[0]), (int)Operations.ToIndexClamped(a[1]))), 2, 2);
        m.Add("isnan", (_, a, _) => Value.Of(double.IsNaN(Number(a[0]))), 1, 1);
        m.Add("isinf", (_, a, _) => Value.Of(double.IsInfinity(Number(a[0]))), 1, 1);
        m.Add("isfinite", (_, a, _) => Value.Of(double.IsFinite(Number(a[0]))), 1, 1);
        m.Add("isclose", IsClose, 2, 2);
        m.Add("fsum", (i, a, _) => Sum(Operations.ToArray(i, a[0]).Select(Number)), 1, 1);
        m.Add("prod", (i, a, k) => Operations.ToArray(i, a[0]).Aggregate(Keywords.Take(k, "start", Value.Of(1L)), (x, y) => Operations.Binary(i, BinaryOperator.Multiply, x, y)), 1, 1);
        m.Add("sumprod", (i, a, _) => Operations.ToArray(i, a[0]).Zip(Operations.ToArray(i, a[1])).Aggregate(Value.Of(0L), (t, p) => Operations.Binary(i, BinaryOperator.Add, t, Operations.Binary(i, BinaryOperator.Multiply, p.First, p.Second))), 2, 2);
        m.Add("nextafter", (_, a, _) => Value.Of(Number(a[0]) == Number(a[1]) ? Number(a[1]) : Number(a[0]) < Number(a[1]) ? Math.BitIncrement(Number(a[0])) : Math.BitDecrement(Number(a[0]))), 2, 2);
    }

    private static double Number(Value value) => value.IsNumber ? value.ToDouble() : value.Text is not null ? throw Errors.Type("must be real number, not str") : Constructors.Float(Interpreter.Current, value).Float;

    private static Value Real(Func<double, double> f, double x)
    {
        double y = f(x);
        if (double.IsNaN(y) && !double.IsNaN(x))
            throw Errors.Value("math domain error");
        return double.IsInfinity(y) && double.IsFinite(x) ? throw Errors.Overflow("math range error") : Value.Of(y);
    }

    private static Value Power(double x, double y)
    {
        double power = Math.Pow(x, y);
        if (double.IsNaN(power) && !double.IsNaN(x) && !double.IsNaN(y))
            throw Errors.Value("math domain error");
        return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y) ? throw (x == 0 ? Errors.Value("math domain error") : Errors.Overflow("math range error")) : Value.Of(power);
    }

    private static void Whole(ModuleObject m)
    {
        foreach ((string name, Func<double, double> f) in new (string, Func<double, double>)[] { ("floor", Math.Floor), ("ceil", Math.Ceiling), ("trunc", Math.Truncate) })
        {
            m.Add(name, (it, a, _) =>
            {
                if (a[0].IsInteger)
                    return Value.Of(a[0].Big);
                Value method = a[0].Class.Find($"__{name}__");
                if (!method.IsUnbound)
                    return it.Call(method, a[0]);
                double d = Number(a[0]);
                return double.IsFinite(d) ? Value.Of(new BigInteger(f(d))) : throw (double.IsNaN(d) ? Errors.Value("cannot convert float NaN to integer") : Errors.Overflow("cannot convert float infinity to integer"));
            }, 1, 1);
        }
        m.Add("factorial", (it, a, _) =>
        {
            long n = a[0].IsFloat ? throw Errors.Type("'float' object cannot be interpreted as an integer") : Operations.ToIndex(a[0]);
            if (n < 0)
                throw Errors.Value("factorial() not defined for negative values");
            if (n > 200_000)
                throw Errors.Overflow("the number is too large");
            it.Burn(n + (n * n / 1000));
            BigInteger product = 1;
            for (long i = 2; i <= n; i++)
                product *= i;
            return Value.Of(product);
        }, 1, 1);
        m.Add("gcd", (_, a, _) => Value.Of(a.Aggregate(BigInteger.Zero, (x, y) => BigInteger.GreatestCommonDivisor(x, Integer(y)))));
        m.Add("lcm", (_, a, _) => Value.Of(a.Aggregate(BigInteger.One, (x, y) => Integer(y).IsZero || x.IsZero ? 0 : BigInteger.Abs(x * Integer(y)) / BigInteger.GreatestCommonDivisor(x, Integer(y)))));
        m.Add("isqrt", (_, a, _) => Value.Of(Root(Integer(a[0]))), 1, 1);
        m.Add("comb", (it, a, _) => Value.Of(Combinations(it, Integer(a[0]), Integer(a[1]))), 2, 2);
        m.Add("perm", (it, a, _) =>
        {
            BigInteger n = Integer(a[0]), k = a.Length > 1 && !a[1].IsNone ? Integer(a[1]) : n, product = 1;
            if (n.Sign < 0 || k.Sign < 0)
                throw Errors.Value("n and k must be non-negative integers");
            it.Burn(k > 1_000_000 ? long.MaxValue / 2 : (long)k * 4);
            for (BigInteger i = 0; i < k && !product.IsZero; i++)
                product *= n - i;
            return Value.Of(product);
        }, 1, 2);
    }

    private static BigInteger Integer(Value value) => value.IsInteger ? value.Big : value.IsFloat ? throw Errors.Type("'float' object cannot be interpreted as an integer") : Operations.ToIndex(value);

    private static BigInteger Root(BigInteger n)
    {
        if (n.Sign < 0)
            throw Errors.Value("isqrt() argument must be nonnegative");
        if (n.IsZero)
            return 0;
        BigInteger x = BigInteger.One << (int)((n.GetBitLength() + 1) / 2);
        while (true)
        {
            BigInteger y = (x + (n / x)) >> 1;
            if (y >= x)
                return x;
            x = y;
        }
    }

    private static BigInteger Combinations(Interpreter it, BigInteger n, BigInteger k)
    {
        if (n.Sign < 0 || k.Sign < 0)
            throw Errors.Value("n and k must be non-negative integers");
        if (k > n)
            return 0;
        k = BigInteger.Min(k, n - k);
        it.Burn(k > 1_000_000 ? long.MaxValue / 2 : (long)k * 4);
        BigInteger c = 1;
        for (BigInteger i = 1; i <= k; i++)
            c = c * (n - k + i) / i;
        return c;
    }

    private static void Logarithms(ModuleObject m)
    {
        m.Add("log", (_, a, _) => a.Length == 1 ? Value.Of(Log(a[0])) : Value.Of(Log(a[0]) / (Log(a[1]) is var b && b != 0 ? b : throw Errors.ZeroDivision("float division by zero"))), 1, 2);
        m.Add("log2", (_, a, _) => a[0].IsInteger && a[0].Big is var n && n.IsPowerOfTwo ? Value.Of((double)n.GetBitLength() - 1) : Value.Of(a[0].Ref is BigObject ? Log(a[0]) / Math.Log(2) : Checked(Math.Log2, Number(a[0]))), 1, 1);
        m.Add("log10", (_, a, _) => Value.Of(a[0].Ref is BigObject ? Log(a[0]) / Math.Log(10) : Checked(Math.Log10, Number(a[0]))), 1, 1);
    }

    private static double Log(Value value) => value.Ref is BigObject { Value: var big } ? big.Sign > 0 ? BigInteger.Log(big) : throw Errors.Value("math domain error") : Checked(Math.Log, Number(value));

    private static double Checked(Func<double, double> log, double x) => x <= 0 ? throw Errors.Value("math domain error") : log(x);

    private static double Hypotenuse(IEnumerable<double> sides)
    {
        double[] all = [.. sides.Select(Math.Abs)];
        double largest = all.DefaultIfEmpty(0).Max();
        return largest == 0 || double.IsInfinity(largest) ? largest : all.Length == 2 ? double.Hypot(all[0], all[1]) : largest * Math.Sqrt(all.Sum(s => s / largest * (s / largest)));
    }

    private static Value Split(double x)
    {
        if (x == 0 || !double.IsFinite(x))
            return Library.Tuple(Value.Of(x), Value.Of(0L));
        int exponent = Math.ILogB(x) + 1;
        return Library.Tuple(Value.Of(Math.ScaleB(x, -exponent)), Value.Of((long)exponent));
    }

    private static Value IsClose(Interpreter it, Value[] args, Keywords? keywords)
    {
        double a = Number(args[0]), b = Number(args[1]), relative = Number(Keywords.Take(keywords, "rel_tol", Value.Of(1e-9))), absolute = Number(Keywords.Take(keywords, "abs_tol", Value.Of(0.0)));
        return Value.Of(a == b || (double.IsFinite(a) && double.IsFinite(b) && Math.Abs(a - b) <= Math.Max(relative * Math.Max(Math.Abs(a), Math.Abs(b)), absolute)));
    }

    // Exact: all floats are whole multiples of the smallest one.
    private static Value Sum(IEnumerable<double> values)
    {
        BigInteger total = 0;
        foreach (double d in values)
        {
            if (!double.IsFinite(d))
                return Value.Of(values.Sum());
            TupleObject ratio = (TupleObject)TypeMethods.Ratio(d).Ref!;
            total += (ratio.Items[0].Big << 1074) / ratio.Items[1].Big;
        }
        return Value.Of(total.IsZero ? 0.0 : Operations.Quotient(total, BigInteger.One << 1074));
    }

    // Lanczos, with the usual seven terms.
    private static double LogGamma(double x)
    {
        if (x <= 0 && x == Math.Floor(x))
            throw Errors.Value("math domain error");
        if (x < 0.5)
            return Math.Log(Math.PI / Math.Abs(Math.Sin(Math.PI * x))) - LogGamma(1 - x);
        double[] c = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
        x -= 1;
        double sum = c[0];
        for (int i = 1; i < c.Length; i++)
            sum += c[i] / (x + i);
        double t = x + 7.5;
        return (0.5 * Math.Log(2 * Math.PI)) + ((x + 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }

    private static double Gamma(double x)
    {
        if (x <= 0 && x == Math.Floor(x))
            throw Errors.Value("math domain error");
        if (x == Math.Floor(x) && x < 24)
        {
            double product = 1;
            for (int i = 2; i < x; i++)
                product *= i;
            return product;
        }
        return x < 0.5 ? Math.PI / (Math.Sin(Math.PI * x) * Gamma(1 - x)) : Math.Exp(LogGamma(x));
    }

    private static double Erf(double x)
    {
        // Series near zero, continued fraction beyond (Abramowitz and Stegun 7.1.6 and 7.1.14).
        double a = Math.Abs(x);
        if (a < 3)
        {
            double term = a, sum = a;
            for (int n = 1; n < 100 && Math.Abs(term) > 1e-17 * sum; n++)
            {
                term *= 2 * a * a / ((2 * n) + 1);
                sum += term;
            }
            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * Math.Exp(-a * a) * sum;
        }
        double fraction = 0;
        for (int n = 60; n > 0; n--)
            fraction = n / 2.0 / (a + fraction);
        return Math.Sign(x) * (1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)));
    }
}
