using System.Runtime.InteropServices;

namespace Gradus.Evaluation.Metrics;

/// <summary>
/// Names for tokens and n-grams: an n-gram is the pair of the (n − 1)-gram before its last token, and that token, so that long
/// n-grams cost no more than short ones. Ids are comparable within one index only.
/// </summary>
internal sealed class NgramIndex
{
    private readonly Dictionary<string, int> tokens = [];
    private readonly Dictionary<(int Prefix, int Token), int> grams = [];

    /// <summary>The ids of tokens, equal for equal strings.</summary>
    public int[] Tokens(IReadOnlyList<string> words)
    {
        var ids = new int[words.Count];
        for (int i = 0; i < ids.Length; i++)
        {
            ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(tokens, words[i], out bool known);
            if (!known)
                id = tokens.Count - 1;
            ids[i] = id;
        }
        return ids;
    }

    /// <summary>For each order 1..<paramref name="order"/>, how often each n-gram occurs.</summary>
    public Dictionary<int, int>[] Counts(int[] sequence, int order)
    {
        var counts = new Dictionary<int, int>[order];
        int[] prefix = [.. sequence];
        for (int n = 1; n <= order; n++)
        {
            counts[n - 1] = [];
            for (int i = 0; i + n <= sequence.Length; i++)
            {
                if (n > 1)
                    prefix[i] = GramId(prefix[i], sequence[i + n - 1]);
                CollectionsMarshal.GetValueRefOrAddDefault(counts[n - 1], prefix[i], out _)++;
            }
        }
        return counts;
    }

    /// <summary>The number of n-grams two texts share, each counted as often as the text that has fewer of it.</summary>
    public static int Overlap(Dictionary<int, int> a, Dictionary<int, int> b)
    {
        if (b.Count < a.Count)
            (a, b) = (b, a);
        int shared = 0;
        foreach ((int gram, int count) in a)
            shared += Math.Min(count, b.GetValueOrDefault(gram));
        return shared;
    }

    private int GramId(int prefix, int token)
    {
        ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(grams, (prefix, token), out bool known);
        if (!known)
            id = grams.Count - 1;
        return id;
    }
}
