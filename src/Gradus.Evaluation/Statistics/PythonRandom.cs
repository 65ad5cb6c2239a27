// Source: Matsumoto and Nishimura, "Mersenne Twister", 1998 (MT19937); the seeding and the methods of Python's module random,
// https://docs.python.org/3/library/random.html. It makes the few-shot examples and the bootstraps of other tools the same here.

namespace Gradus.Evaluation.Statistics;

/// <summary>Python's <c>random.Random</c> for seeds that are whole numbers.</summary>
public sealed class PythonRandom
{
    private const int N = 624;
    private const int M = 397;
    private readonly uint[] _state = new uint[N];
    private int _next = N;

    /// <summary>Seeds the generator as <c>random.Random(seed)</c> does.</summary>
    /// <param name="seed">The seed; its sign does not count.</param>
    public PythonRandom(long seed)
    {
        ulong magnitude = seed < 0 ? (ulong)-(seed + 1) + 1 : (ulong)seed;
        uint[] key = magnitude >> 32 == 0 ? [(uint)magnitude] : [(uint)magnitude, (uint)(magnitude >> 32)];
        _state[0] = 19650218;
        for (uint i = 1; i < N; i++)
            _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
        int index = 1, word = 0;
        for (int k = N; k > 0; k--)
        {
            _state[index] = (_state[index] ^ ((_state[index - 1] ^ (_state[index - 1] >> 30)) * 1664525)) + key[word] + (uint)word;
            Advance(ref index);
            word = (word + 1) % key.Length;
        }
        for (int k = N - 1; k > 0; k--)
        {
            _state[index] = (_state[index] ^ ((_state[index - 1] ^ (_state[index - 1] >> 30)) * 1566083941)) - (uint)index;
            Advance(ref index);
        }
        _state[0] = 0x80000000;
    }

    /// <summary>A number from 0 to 1, exclusive (<c>random()</c>).</summary>
    public double NextDouble()
    {
        uint a = Next() >> 5, b = Next() >> 6;
        return ((a * 67108864.0) + b) * (1.0 / 9007199254740992.0);
    }

    /// <summary>Random bits (<c>getrandbits</c>).</summary>
    /// <param name="count">1 to 32.</param>
    public uint NextBits(int count) => Next() >> (32 - count);

    /// <summary>A number from 0 to <paramref name="bound"/> − 1, each as likely (<c>_randbelow</c>).</summary>
    /// <param name="bound">1 or more.</param>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        int bits = 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)bound);
        uint drawn = NextBits(bits);
        while (drawn >= bound)
            drawn = NextBits(bits);
        return (int)drawn;
    }

    /// <summary>Different places of a list, in drawing order (<c>sample(range(count), drawn)</c>).</summary>
    /// <param name="count">The list's length.</param>
    /// <param name="drawn">How many, 0 to <paramref name="count"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">More are wanted than there are.</exception>
    public int[] Sample(int count, int drawn)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(drawn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(drawn, count);
        int[] result = new int[drawn];
        double setSize = 21 + (drawn > 5 ? Math.Pow(4, Math.Ceiling(Math.Log(drawn * 3) / Math.Log(4))) : 0);
        if (count <= setSize)
        {
            int[] pool = [.. Enumerable.Range(0, count)];
            for (int i = 0; i < drawn; i++)
            {
                int j = Below(count - i);
                result[i] = pool[j];
                pool[j] = pool[count - i - 1];
            }
            return result;
        }
        HashSet<int> selected = [];
        for (int i = 0; i < drawn; i++)
        {
            int j = Below(count);
            while (!selected.Add(j))
                j = Below(count);
            result[i] = j;
        }
        return result;
    }

    /// <summary>Fills a span with places of a list, which may repeat (<c>choices(range(count), k)</c>).</summary>
    /// <param name="count">The list's length, 1 or more.</param>
    /// <param name="indices">Where they go.</param>
    public void Choices(int count, Span<int> indices)
    {
        for (int i = 0; i < indices.Length; i++)
            indices[i] = (int)Math.Floor(NextDouble() * count);
    }

    private void Advance(ref int index)
    {
        if (++index < N)
            return;
        _state[0] = _state[N - 1];
        index = 1;
    }

    private uint Next()
    {
        if (_next == N)
            Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    private void Twist()
    {
        for (int i = 0; i < N; i++)
        {
            uint y = (_state[i] & 0x80000000) | (_state[(i + 1) % N] & 0x7fffffff);
            _state[i] = _state[(i + M) % N] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : 0x9908b0df);
        }
        _next = 0;
    }
}
