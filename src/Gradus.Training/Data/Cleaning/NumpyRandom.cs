namespace Gradus.Training.Data.Cleaning;

/// <summary>Numbers as numpy's RandomState draws them (the Mersenne Twister of Matsumoto and Nishimura, 1998), so that signatures agree with datatrove's.</summary>
internal sealed class NumpyRandom
{
    private const int Size = 624;
    private readonly uint[] _state = new uint[Size];
    private int _at = Size;

    /// <summary>Begins with a seed.</summary>
    public NumpyRandom(uint seed)
    {
        _state[0] = seed;
        for (int i = 1; i < Size; i++)
            _state[i] = (1812433253u * (_state[i - 1] ^ (_state[i - 1] >> 30))) + (uint)i;
    }

    /// <summary>Numbers in [low, high), drawn with a mask until they fit (<c>randint</c> of 64 bits).</summary>
    public ulong[] Below(ulong low, ulong high, int count)
    {
        ulong range = high - low - 1, mask = ulong.MaxValue >> System.Numerics.BitOperations.LeadingZeroCount(range);
        ulong[] numbers = new ulong[count];
        for (int i = 0; i < count; i++)
        {
            ulong drawn;
            do
                drawn = (((ulong)Next() << 32) | Next()) & mask;
            while (drawn > range);
            numbers[i] = low + drawn;
        }
        return numbers;
    }

    private uint Next()
    {
        if (_at == Size)
            Twist();
        uint y = _state[_at++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C5680;
        y ^= (y << 15) & 0xEFC60000;
        return y ^ (y >> 18);
    }

    private void Twist()
    {
        for (int i = 0; i < Size; i++)
        {
            uint y = (_state[i] & 0x80000000) | (_state[(i + 1) % Size] & 0x7FFFFFFF);
            _state[i] = _state[(i + 397) % Size] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : 0x9908B0DFu);
        }
        _at = 0;
    }
}
