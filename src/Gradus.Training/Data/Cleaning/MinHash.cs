using System.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Signatures by which near-duplicates are found (Broder, 1997): minima of hash functions over the n-grams of the normalized words, in buckets; two
/// documents match in a bucket when all its minima are equal. With 14 buckets of 8, documents that share four fifths of their n-grams match with
/// probability .92. The functions are datatrove's: ((h·a + b) mod 2⁶⁴) mod (2⁶¹ − 1), with factors that numpy draws.
/// </summary>
public sealed class MinHash
{
    private const ulong Prime = (1UL << 61) - 1;
    private readonly ulong[] _a;
    private readonly ulong[] _b;
    private readonly TextNormalization _normalization;
    private readonly Fingerprint _fingerprint;
    private readonly ulong _mask;

    /// <summary>Draws the hash functions.</summary>
    /// <param name="ngrams">Words of an n-gram, ≥ 1.</param>
    /// <param name="buckets">Buckets, ≥ 1.</param>
    /// <param name="hashesPerBucket">Minima of a bucket, ≥ 1.</param>
    /// <param name="seed">Which functions.</param>
    /// <param name="fingerprint">How n-grams are hashed; xxHash64 where null.</param>
    /// <param name="normalization">How text is normalized; the usual way where null.</param>
    public MinHash(int ngrams = 5, int buckets = 14, int hashesPerBucket = 8, uint seed = 1, Fingerprint? fingerprint = null, TextNormalization? normalization = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ngrams, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(hashesPerBucket, 1);
        (Ngrams, Buckets, HashesPerBucket) = (ngrams, buckets, hashesPerBucket);
        NumpyRandom random = new(seed);
        _a = random.Below(1, Prime, buckets * hashesPerBucket);
        _b = random.Below(0, Prime, buckets * hashesPerBucket);
        _fingerprint = fingerprint ?? new Fingerprint(FingerprintKind.XxHash, 64);
        _normalization = normalization ?? new TextNormalization();
        _mask = _fingerprint.Bits == 32 ? uint.MaxValue : ulong.MaxValue;
    }

    /// <summary>Words of an n-gram.</summary>
    public int Ngrams { get; }

    /// <summary>How many buckets.</summary>
    public int Buckets { get; }

    /// <summary>Minima of a bucket.</summary>
    public int HashesPerBucket { get; }

    /// <summary>Factors of the hash functions.</summary>
    internal IReadOnlyList<ulong> Factors => _a;

    /// <summary>Summands of the hash functions.</summary>
    internal IReadOnlyList<ulong> Summands => _b;

    /// <summary>The signature of a text, bucket by bucket; null where it has fewer words than an n-gram.</summary>
    /// <param name="text">The text.</param>
    public ulong[]? Signature(string text)
    {
        List<ulong> shingles = Shingles(text);
        if (shingles.Count == 0)
            return null;
        ulong[] minima = new ulong[_a.Length];
        for (int f = 0; f < minima.Length; f++)
        {
            ulong a = _a[f], b = _b[f], least = ulong.MaxValue;
            foreach (ulong shingle in shingles)
            {
                ulong sum = (shingle * a) + b, rest = (sum & Prime) + (sum >> 61);
                rest = (rest >= Prime ? rest - Prime : rest) & _mask;
                least = Math.Min(least, rest);
            }
            minima[f] = least;
        }
        return minima;
    }

    /// <summary>The hashes of a text's n-grams, in their order; empty where it has fewer words.</summary>
    internal List<ulong> Shingles(string text) => Hashes(_normalization.Apply(text), Ngrams, _fingerprint);

    /// <summary>The hashes of the n-grams of a normalized text, its words joined by a space.</summary>
    internal static List<ulong> Hashes(string normalized, int n, Fingerprint fingerprint)
    {
        List<TextPart> words = [];
        TextUnits.Words(normalized, words);
        List<ulong> hashes = new(Math.Max(0, words.Count - n + 1));
        // The words, a space behind each, in UTF-8: every n-gram is a part of it.
        byte[] utf8 = new byte[Encoding.UTF8.GetMaxByteCount(normalized.Length) + words.Count];
        int[] starts = new int[words.Count + 1];
        for (int i = 0, at = 0; i < words.Count; i++)
        {
            at += Encoding.UTF8.GetBytes(normalized.AsSpan(words[i].Start, words[i].End - words[i].Start), utf8.AsSpan(at));
            utf8[at++] = (byte)' ';
            starts[i + 1] = at;
        }
        for (int i = 0; i + n <= words.Count; i++)
            hashes.Add(fingerprint.Of(utf8.AsSpan(starts[i]..(starts[i + n] - 1))));
        return hashes;
    }
}
