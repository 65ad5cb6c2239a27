namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Drops documents most of whose n-grams were there before, in one pass and a fixed amount of memory (a Bloom filter, 1970); as datatrove has it, but that
/// the size is the number of bits. Asked by one thread, in the order of the documents.
/// </summary>
public sealed class BloomDeduplication
{
    private const ulong Prime = (1UL << 61) - 1;
    private static readonly Fingerprint Hash = new(FingerprintKind.XxHash, 32);
    private static readonly TextNormalization Normalization = new();
    private readonly ulong[] _bits;
    private readonly ulong _mask;
    private readonly ulong[] _a;
    private readonly ulong[] _b;
    private readonly double _threshold;
    private readonly int _ngrams;

    /// <summary>Makes an empty filter.</summary>
    /// <param name="mask">Places are cut down to the bits of this number; one less than a power of two for all places below it.</param>
    /// <param name="hashes">Bits of an n-gram, ≥ 1.</param>
    /// <param name="threshold">The largest share of known n-grams of a document that is kept.</param>
    /// <param name="ngrams">Words of an n-gram, ≥ 1.</param>
    /// <param name="seed">Which hash functions.</param>
    public BloomDeduplication(ulong mask = (1UL << 30) - 1, int hashes = 5, double threshold = 0.8, int ngrams = 13, uint seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hashes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ngrams, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mask, 1UL << 40);
        (_mask, _threshold, _ngrams) = (mask, threshold, ngrams);
        _bits = new ulong[(mask / 64) + 1];
        NumpyRandom random = new(seed);
        _a = random.Below(1, Prime, hashes);
        _b = random.Below(0, Prime, hashes);
    }

    /// <summary>Bits that are set.</summary>
    public long BitsSet { get; private set; }

    /// <summary>Factors and summands of the hash functions.</summary>
    internal (IReadOnlyList<ulong> Factors, IReadOnlyList<ulong> Summands) Functions => (_a, _b);

    /// <summary>Looks at the next document; its n-grams are known then.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Whether it is kept.</returns>
    public bool Add(string text)
    {
        List<ulong> shingles = MinHash.Hashes(Normalization.Apply(text), _ngrams, Hash);
        bool[] known = [.. shingles.Select(IsKnown)];
        for (int i = 0; i < known.Length; i++)
        {
            for (int f = 0; f < _a.Length && !known[i]; f++)
                Set(Place(shingles[i], f));
        }
        return shingles.Count == 0 || known.Count(k => k) / (double)known.Length <= _threshold;
    }

    private bool IsKnown(ulong shingle)
    {
        for (int f = 0; f < _a.Length; f++)
        {
            ulong place = Place(shingle, f);
            if ((_bits[place / 64] & (1UL << (int)(place % 64))) == 0)
                return false;
        }
        return true;
    }

    private ulong Place(ulong shingle, int function) => ((shingle * _a[function]) + _b[function]) % Prime & _mask;

    private void Set(ulong place)
    {
        ulong bit = 1UL << (int)(place % 64);
        BitsSet += (_bits[place / 64] & bit) == 0 ? 1 : 0;
        _bits[place / 64] |= bit;
    }
}
