using System.Runtime.InteropServices;

namespace Gradus.Generation.Structure.Languages;

/// <summary>Lists of numbers as keys.</summary>
internal static class IntArrays
{
    public static readonly IEqualityComparer<int[]> Comparer = EqualityComparer<int[]>.Create(
        static (x, y) => x.AsSpan().SequenceEqual(y),
        static x =>
        {
            HashCode hash = new();
            hash.AddBytes(MemoryMarshal.AsBytes<int>(x));
            return hash.ToHashCode();
        });
}
