using Gradus.Nn;

namespace Gradus.Tests.Goldens;

/// <summary>A golden batch without its padding: the kept tokens end to end, and where they stood.</summary>
internal sealed class PaddedTokens
{
    private readonly TensorsOf _io;
    private readonly int _columns;

    public PaddedTokens(TensorsOf io, string batch)
    {
        _io = io;
        int[] ids = io.Ints($"{batch}.in.input_ids");
        int rows = io.ShapeOf($"{batch}.in.input_ids")[0];
        _columns = io.ShapeOf($"{batch}.in.input_ids")[1];
        int[]? mask = io.Has($"{batch}.in.attention_mask") ? io.Ints($"{batch}.in.attention_mask") : null;
        Kept = [.. Enumerable.Range(0, ids.Length).Where(i => mask is null || mask[i] == 1)];
        int[] starts = [.. Enumerable.Range(0, rows + 1).Select(r => Kept.Count(k => k < r * _columns))];
        int[]? types = io.Has($"{batch}.in.token_type_ids") ? Keep(io.Ints($"{batch}.in.token_type_ids")) : null;
        Batch = new TokenBatch(Keep(ids), starts, tokenTypes: types);
    }

    /// <summary>The tokens.</summary>
    public TokenBatch Batch { get; }

    /// <summary>For every token its place in the padded (B, T).</summary>
    public IReadOnlyList<int> Kept { get; }

    /// <summary>The values of the kept tokens out of (B, T).</summary>
    public int[] Keep(int[] padded) => [.. Kept.Select(i => padded[i])];

    /// <summary>Compares the maps (H, T, T) of every sequence with the padded (B, H, T, T).</summary>
    public void CompareAttentions(string key, List<float[,,]> maps)
    {
        if (!_io.Has(key))
            return;
        float[] expected = _io.Floats(key);
        int heads = _io.ShapeOf(key)[1];
        for (int s = 0; s < Batch.Sequences; s++)
        {
            int start = Batch.Starts[s], length = Batch.Starts[s + 1] - start;
            Assert.Equal(heads * length * length, maps[s].Length);
            for (int h = 0; h < heads; h++)
            {
                for (int i = 0; i < length; i++)
                {
                    for (int j = 0; j < length; j++)
                    {
                        int row = (((s * heads) + h) * _columns) + (Kept[start + i] % _columns);
                        double e = expected[(row * _columns) + (Kept[start + j] % _columns)];
                        Assert.True(Math.Abs(maps[s][h, i, j] - e) <= 1e-5, $"{key}: [{s},{h},{i},{j}] is {maps[s][h, i, j]}, expected {e}");
                    }
                }
            }
        }
    }
}
