namespace Gradus.Tensors;

/// <summary>
/// Random numbers as a function of a key and an index, so that any part of a stream can be computed on any thread, twice if need
/// be, with the same result. The mixing is SplitMix64's (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
/// </summary>
public static class CounterRandom
{
    /// <summary>64 bits for an index of a key's stream.</summary>
    public static ulong Bits64(ulong key, long index)
    {
        ulong z = key + ((ulong)(index + 1) * 0x9E3779B97F4A7C15UL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>32 bits for an index of a key's stream.</summary>
    public static uint Bits(ulong key, long index) => (uint)(Bits64(key, index) >> 32);

    /// <summary>A number in [0, 1) for an index of a key's stream.</summary>
    public static double Uniform(ulong key, long index) => (Bits64(key, index) >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [0, n) for an index of a key's stream; n &gt; 0.</summary>
    public static int Below(ulong key, long index, int n) => (int)(((Bits64(key, index) >> 32) * (ulong)n) >> 32);

    /// <summary>A standard normal number for an index of a key's stream (Box and Muller).</summary>
    public static double Normal(ulong key, long index)
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - Uniform(key, 2 * index)));
        return radius * Math.Cos(2 * Math.PI * Uniform(key, (2 * index) + 1));
    }

    /// <summary>A key for a part of a computation: mixes a parent key with a number.</summary>
    public static ulong Derive(ulong key, ulong part) => Bits64(key ^ 0xD1B54A32D192ED03UL, (long)part);

    /// <summary>A key for a named part (FNV-1a over the name's UTF-16 units).</summary>
    public static ulong Derive(ulong key, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        ulong hash = 14695981039346656037UL;
        foreach (char c in name)
            hash = (hash ^ c) * 1099511628211UL;
        return Derive(key, hash);
    }

    /// <summary>Bits below this number come up with the given probability.</summary>
    internal static uint Threshold(float probability) => (uint)Math.Min(uint.MaxValue, probability * 4294967296.0);
}
