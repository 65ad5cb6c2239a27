namespace Gradus.Files;

/// <summary>Which tensors go into which file of a checkpoint in several files.</summary>
internal static class ShardPlan
{
    /// <summary>Fills shards in order: a tensor that does not fit any more begins the next one.</summary>
    public static List<List<TensorEntry>> Fill(IReadOnlyList<TensorEntry> entries, long maxShardBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxShardBytes);
        List<List<TensorEntry>> shards = [[]];
        long used = 0;
        foreach (TensorEntry entry in entries)
        {
            if (shards[^1].Count > 0 && entry.ByteLength > maxShardBytes - used)
            {
                shards.Add([]);
                used = 0;
            }
            shards[^1].Add(entry);
            used += entry.ByteLength;
        }
        return shards;
    }
}
