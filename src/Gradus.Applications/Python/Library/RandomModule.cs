// random: the Mersenne Twister (Matsumoto and Nishimura, 1998) with Python's seeding, so that the same seed draws the same numbers as there.
using System.Numerics;

namespace Gradus.Applications.Python;

/// <summary>MT19937.</summary>
internal sealed class MersenneTwister
{
    private const int N = 624, M = 397;
    private readonly uint[] _state = new uint[N];
    private int _at = N;

    public MersenneTwister(BigInteger seed) => Seed(seed);

    /// <summary>Begins anew from the words of a number.</summary>
    public void Seed(BigInteger seed)
    {
        byte[] bytes = BigInteger.Abs(seed).ToByteArray(isUnsigned: true);
        uint[] key = new uint[Math.Max(1, (bytes.Length + 3) / 4)];
        for (int i = 0; i < bytes.Length; i++)
            key[i / 4] |= (uint)bytes[i] << (8 * (i % 4));
        _state[0] = 19650218;
        for (int j = 1; j < N; j++)
            _state[j] = (1812433253 * (_state[j - 1] ^ (_state[j - 1] >> 30))) + (uint)j;
        int at = 1, of = 0;
        for (int k = Math.Max(N, key.Length); k > 0; k--)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1664525)) + key[of] + (uint)of;
            if (++at >= N)
                (_state[0], at) = (_state[N - 1], 1);
            if (++of >= key.Length)
                of = 0;
        }
        for (int k = N - 1; k > 0; k--)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1566083941)) - (uint)at;
            if (++at >= N)
                (_state[0], at) = (_state[N - 1], 1);
        }
        _state[0] = 0x80000000;
        _at = N;
    }

    public uint Next()
    {
        if (_at >= N)
        {
            for (int k = 0; k < N; k++)
            {
                uint y = (_state[k] & 0x80000000) | (_state[(k + 1) % N] & 0x7FFFFFFF);
                _state[k] = _state[(k + M) % N] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : 0x9908B0DF);
            }
            _at = 0;
        }
        uint x = _state[_at++];
        x ^= x >> 11;
        x ^= (x << 7) & 0x9D2C5680;
        x ^= (x << 15) & 0xEFC60000;
        return x ^ (x >> 18);
    }

    /// <summary>In [0, 1), with 53 bits.</summary>
    public double NextDouble() => (((Next() >> 5) * 67108864.0) + (Next() >> 6)) / 9007199254740992.0;

    public BigInteger Bits(int count)
    {
        BigInteger value = 0;
        for (int shift = 0; count > 0; count -= 32, shift += 32)
            value |= (BigInteger)(count >= 32 ? Next() : Next() >> (32 - count)) << shift;
        return value;
    }

    /// <summary>In [0, n), by drawing again what is too large.</summary>
    public BigInteger Below(BigInteger n)
    {
        int bits = (int)n.GetBitLength();
        BigInteger value = Bits(bits);
        while (value >= n)
            value = Bits(bits);
        return value;
    }
}

internal static class RandomModule
{
    /// <summary>The generator whose method runs: the module's own, or that of a Random object.</summary>
    private static MersenneTwister R(Interpreter it) => s_of ?? it.Random;

    [ThreadStatic]
    private static MersenneTwister? s_of;

    private sealed class RandomObject(MersenneTwister generator, PyClass of) : PyObject
    {
        public MersenneTwister Generator { get; } = generator;

        public override PyClass ClassOf => of;
    }

    public static void Fill(Interpreter it, ModuleObject m)
    {
        Functions(m);
        // A Random object has the module's functions as methods, over a generator of its own.
        PyClass random = new("Random", [Types.Object], builtin: true);
        random.Construct = (i, a, _) => Value.Of(new RandomObject(new MersenneTwister(a.Length > 0 && a[0].IsInteger ? a[0].Big : 0), random));
        foreach (GlobalCell cell in m.Cells.Where(c => c.Value.Ref is NativeFunction).ToArray())
        {
            NativeFunction function = (NativeFunction)cell.Value.Ref!;
            TypeMethods.Add(random, cell.Name, (i, a, k) =>
            {
                MersenneTwister? before = s_of;
                s_of = ((RandomObject)a[0].Ref!).Generator;
                try
                {
                    return function.Call(i, a[1..], k);
                }
                finally
                {
                    s_of = before;
                }
            });
        }
        m["Random"] = m["SystemRandom"] = Value.Of(random);
    }

    private static void Functions(ModuleObject m)
    {
        m.Add("seed", (i, a, _) =>
        {
            R(i).Seed(a.Length == 0 || a[0].IsNone ? 0 : a[0].IsInteger ? a[0].Big : a[0].IsFloat ? new BigInteger(BitConverter.DoubleToInt64Bits(a[0].Float)) : new BigInteger(System.Text.Encoding.UTF8.GetBytes(Operations.Str(i, a[0])), isUnsigned: true));
            return Value.None;
        }, 0, 2);
        m.Add("random", (i, _, _) => Value.Of(R(i).NextDouble()), 0, 0);
        m.Add("uniform", (i, a, _) => Value.Of(a[0].ToDouble() + ((a[1].ToDouble() - a[0].ToDouble()) * R(i).NextDouble())), 2, 2);
        m.Add("getrandbits", (i, a, _) => Value.Of(R(i).Bits((int)Operations.ToIndex(a[0]) is >= 0 and < 1_000_000 and var n ? n : throw Errors.Value("number of bits must be non-negative and not too large"))), 1, 1);
        m.Add("randint", (i, a, _) => Range(i, a[0].Big, a[1].Big + 1, 1), 2, 2);
        m.Add("randrange", (i, a, _) => a.Length == 1 ? Range(i, 0, a[0].Big, 1) : Range(i, a[0].Big, a[1].Big, a.Length > 2 ? a[2].Big : 1), 1, 3);
        m.Add("choice", (i, a, _) => Operations.Length(i, a[0]) is > 0 and var n ? Operations.GetItem(i, a[0], Value.Of(R(i).Below(n))) : throw Errors.Index("Cannot choose from an empty sequence"), 1, 1);
        m.Add("choices", Choices, 1, 2);
        m.Add("shuffle", (i, a, _) =>
        {
            ListObject list = a[0].Ref as ListObject ?? throw Errors.Type("shuffle() needs a list");
            for (int at = list.Count - 1; at > 0; at--)
            {
                int other = (int)R(i).Below(at + 1);
                (list.Items[at], list.Items[other]) = (list.Items[other], list.Items[at]);
            }
            return Value.None;
        }, 1, 1);
        m.Add("sample", Sample, 1, 2);
        m.Add("gauss", (i, a, _) => Value.Of(Normal(i, a)), 0, 2);
        m.Add("normalvariate", (i, a, _) => Value.Of(Normal(i, a)), 0, 2);
        m.Add("expovariate", (i, a, _) => Value.Of(-Math.Log(1 - R(i).NextDouble()) / (a.Length > 0 ? a[0].ToDouble() : 1)), 0, 1);
        m.Add("triangular", (i, a, _) => Value.Of(Triangular(R(i).NextDouble(), a.Length > 0 ? a[0].ToDouble() : 0, a.Length > 1 ? a[1].ToDouble() : 1, a.Length > 2 && !a[2].IsNone ? a[2].ToDouble() : null)), 0, 3);
    }

    private static Value Range(Interpreter it, BigInteger start, BigInteger stop, BigInteger step)
    {
        BigInteger width = stop - start, n = step.IsOne ? width : step.Sign > 0 ? (width + step - 1) / step : step.Sign < 0 ? (width + step + 1) / step : throw Errors.Value("zero step for randrange()");
        return n.Sign > 0 ? Value.Of(start + (step * R(it).Below(n))) : throw Errors.Value($"empty range in randrange({start}, {stop})");
    }

    private static Value Choices(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value[] population = Operations.ToArray(it, args[0]);
        Value weights = args.Length > 1 ? args[1] : Keywords.Take(keywords, "weights", Value.None);
        long k = Operations.ToIndex(Keywords.Take(keywords, "k", Value.Of(1L)));
        Memory.Check(k * 16);
        it.Burn(k);
        if (population.Length == 0)
            throw Errors.Index("Cannot choose from an empty population");
        if (weights.IsNone)
            return Value.Of(new ListObject([.. Enumerable.Range(0, (int)k).Select(_ => population[(int)Math.Floor(R(it).NextDouble() * population.Length)])]));
        double total = 0;
        double[] cumulative = [.. Operations.ToArray(it, weights).Select(w => total += w.ToDouble())];
        if (cumulative.Length != population.Length)
            throw Errors.Value("The number of weights does not match the population");
        return Value.Of(new ListObject([.. Enumerable.Range(0, (int)k).Select(_ =>
        {
            double at = R(it).NextDouble() * total;
            return population[Math.Min(population.Length - 1, Array.FindIndex(cumulative, c => c > at) is >= 0 and var found ? found : population.Length - 1)];
        })]));
    }

    // The method that Python takes depends on how much is drawn of how many.
    private static Value Sample(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value[] pool = [.. Operations.ToArray(it, args[0])];
        int n = pool.Length, k = (int)Operations.ToIndex(args.Length > 1 ? args[1] : Keywords.Take(keywords, "k"));
        if (k < 0 || k > n)
            throw Errors.Value("Sample larger than population or is negative");
        Value[] result = new Value[k];
        double size = 21;
        if (k > 5)
            size += Math.Pow(4, Math.Ceiling(Math.Log(k * 3) / Math.Log(4)));
        if (n <= size)
        {
            for (int i = 0; i < k; i++)
            {
                int j = (int)R(it).Below(n - i);
                result[i] = pool[j];
                pool[j] = pool[n - i - 1];
            }
            return Value.Of(new ListObject(result));
        }
        HashSet<int> taken = [];
        for (int i = 0; i < k; i++)
        {
            int j = (int)R(it).Below(n);
            while (!taken.Add(j))
                j = (int)R(it).Below(n);
            result[i] = pool[j];
        }
        return Value.Of(new ListObject(result));
    }

    private static double Normal(Interpreter it, Value[] args)
    {
        double mean = args.Length > 0 ? args[0].ToDouble() : 0, deviation = args.Length > 1 ? args[1].ToDouble() : 1;
        double angle = R(it).NextDouble() * 2 * Math.PI, length = Math.Sqrt(-2 * Math.Log(1 - R(it).NextDouble()));
        return mean + (Math.Cos(angle) * length * deviation);
    }

    private static double Triangular(double u, double low, double high, double? mode)
    {
        double c = mode is { } m ? (m - low) / (high - low) : 0.5;
        if (u > c)
            (u, c, low, high) = (1 - u, 1 - c, high, low);
        return low + ((high - low) * Math.Sqrt(u * c));
    }
}
