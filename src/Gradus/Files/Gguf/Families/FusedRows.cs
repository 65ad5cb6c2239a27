namespace Gradus.Files.Gguf.Families;

/// <summary>Orders of the rows of fused projections of queries, keys and values.</summary>
internal static class FusedRows
{
    /// <summary>From q, k, v for each group of heads (as BLOOM, GPT-NeoX and Falcon are trained) to all q, then all k, then all v.</summary>
    /// <param name="groups">Key and value heads.</param>
    /// <param name="queries">Query heads in each group.</param>
    /// <param name="width">Values per head.</param>
    /// <returns>For each row of the result the row of the source.</returns>
    public static int[] Ungroup(int groups, int queries, int width)
    {
        List<int> origin = [];
        int group = (queries + 2) * width;
        for (int g = 0; g < groups; g++)
            origin.AddRange(Enumerable.Range(g * group, queries * width));
        for (int part = queries; part < queries + 2; part++)
        {
            for (int g = 0; g < groups; g++)
                origin.AddRange(Enumerable.Range((g * group) + (part * width), width));
        }
        return [.. origin];
    }
}
