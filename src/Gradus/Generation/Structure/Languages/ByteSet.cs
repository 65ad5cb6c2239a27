namespace Gradus.Generation.Structure.Languages;

/// <summary>A set of bytes.</summary>
internal readonly record struct ByteSet(ulong A, ulong B, ulong C, ulong D)
{
    public static ByteSet All { get; } = new(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue);

    public bool IsEmpty => (A | B | C | D) == 0;

    public static ByteSet Of(byte b) => Range(b, b);

    /// <summary>All bytes from one to another, both included.</summary>
    public static ByteSet Range(int from, int to)
    {
        ulong Word(int start)
        {
            int lo = Math.Max(from - start, 0);
            int hi = Math.Min(to - start, 63);
            return lo > hi ? 0 : (ulong.MaxValue >> (63 - hi)) & (ulong.MaxValue << lo);
        }
        return new ByteSet(Word(0), Word(64), Word(128), Word(192));
    }

    public bool Contains(int b) => ((b < 128 ? (b < 64 ? A : B) : (b < 192 ? C : D)) >> (b & 63) & 1) != 0;

    /// <summary>Cuts every part of a partition that lies half inside the set into two.</summary>
    public void Split(List<ByteSet> parts)
    {
        for (int i = parts.Count - 1; i >= 0; i--)
        {
            ByteSet inside = parts[i] & this;
            if (inside.IsEmpty || inside == parts[i])
                continue;
            parts.Add(parts[i] & ~this);
            parts[i] = inside;
        }
    }

    public static ByteSet operator |(ByteSet x, ByteSet y) => new(x.A | y.A, x.B | y.B, x.C | y.C, x.D | y.D);

    public static ByteSet operator &(ByteSet x, ByteSet y) => new(x.A & y.A, x.B & y.B, x.C & y.C, x.D & y.D);

    public static ByteSet operator ~(ByteSet x) => new(~x.A, ~x.B, ~x.C, ~x.D);
}
