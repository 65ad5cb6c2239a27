using Gradus.Tensors.Packed;

namespace Gradus.Training.Compression;

/// <summary>
/// The values that a stored form can give the weights of a matrix (out, in): columns in groups whose scales are chosen first, then single
/// weights are rounded. What was rounded last is what is stored. Rows may be worked on by several threads.
/// </summary>
public abstract class WeightGrid
{
    private protected WeightGrid(int rows, int columns, int groupSize) => (Rows, Columns, GroupSize) = (rows, columns, groupSize);

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Columns that share scales.</summary>
    public int GroupSize { get; }

    /// <summary>Groups of a row.</summary>
    public int Groups => (Columns + GroupSize - 1) / GroupSize;

    /// <summary>After how many columns the choice of scales sees what GPTQ has moved from earlier columns.</summary>
    internal abstract int SeesEvery { get; }

    /// <summary>Bytes of the stored form.</summary>
    public abstract long Bytes { get; }

    /// <summary>Chooses the scales of a group.</summary>
    /// <param name="row">The row.</param>
    /// <param name="group">The group.</param>
    /// <param name="values">The group's weights.</param>
    /// <param name="importance">How much the squared error of each counts, or empty: all alike.</param>
    public abstract void Fit(int row, int group, ReadOnlySpan<float> values, ReadOnlySpan<float> importance);

    /// <summary>Stores the value that is nearest to a weight under its group's scales, and gives it.</summary>
    public abstract float Round(int row, int column, float value);

    /// <summary>The stored values, (out, in).</summary>
    public abstract float[] Values();

    /// <summary>Rounds a whole matrix to nearest.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="importance">How much the squared error of each column counts, or empty.</param>
    public virtual void RoundAll(float[] weight, float[] importance) => Parallel.For(0, Rows, row =>
    {
        for (int g = 0; g < Groups; g++)
        {
            int start = g * GroupSize, count = Math.Min(GroupSize, Columns - start);
            ReadOnlySpan<float> values = weight.AsSpan((row * Columns) + start, count);
            Fit(row, g, values, importance.Length == 0 ? default : importance.AsSpan(start, count));
            for (int i = 0; i < count; i++)
                Round(row, start + i, values[i]);
        }
    });
}

/// <summary>The blocks of a packed format.</summary>
public sealed class BlockGrid : WeightGrid
{
    private readonly bool _halfQuadratic;
    private readonly byte[] _bytes;
    private readonly float[]?[] _levels;
    private readonly int _codes;

    /// <summary>Blocks of unspecified contents.</summary>
    /// <param name="format">Their format.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs, whole blocks.</param>
    /// <param name="halfQuadratic">Whether scale and minimum are those of <see cref="Hqq"/>; Q4_1 and Q5_1 only.</param>
    /// <exception cref="ArgumentException">The format has no minimum of its own for every block.</exception>
    public BlockGrid(PackedFormat format, int rows, int columns, bool halfQuadratic = false)
        : base(rows, columns, Required(format).BlockSize)
    {
        if (halfQuadratic && !Hqq.Takes(format))
            throw new ArgumentException($"{format} has no minimum of its own for every block, which HQQ chooses; take q4_1 or q5_1.", nameof(format));
        _halfQuadratic = halfQuadratic;
        Format = format;
        _bytes = new byte[rows * format.ByteLength(columns)];
        _levels = new float[rows * Groups][];
        _codes = format.HasEvenLevels ? 2 : 1 << format.CodeBits;
    }

    /// <summary>The blocks' format.</summary>
    public PackedFormat Format { get; }

    /// <inheritdoc/>
    public override long Bytes => _bytes.LongLength;

    /// <summary>The rows of blocks.</summary>
    public byte[] Packed => _bytes;

    internal override int SeesEvery => GroupSize;

    /// <inheritdoc/>
    public override void Fit(int row, int group, ReadOnlySpan<float> values, ReadOnlySpan<float> importance)
    {
        Span<byte> block = Block(row, group);
        if (importance.IsEmpty)
            Format.Pack(values, block);
        else
            Format.Pack(values, importance, block);
        if (_halfQuadratic)
            Hqq.Store(values, (1 << Format.CodeBits) - 1, block);
        float[] levels = _levels[(row * Groups) + group] ??= new float[_codes * GroupSize];
        Format.CodeValues(block, levels);
    }

    /// <inheritdoc/>
    public override float Round(int row, int column, float value)
    {
        (int group, int index) = Math.DivRem(column, GroupSize);
        float[] levels = _levels[(row * Groups) + group]!;
        int code = 0;
        float nearest = levels[index];
        if (Format.HasEvenLevels)
        {
            float step = levels[GroupSize + index] - nearest;
            code = step == 0 ? 0 : (int)Math.Clamp(MathF.Round((value - nearest) / step), 0, (1 << Format.CodeBits) - 1);
            nearest += code * step;
        }
        else
        {
            for (int c = 1; c < _codes; c++)
            {
                float level = levels[(c * GroupSize) + index];
                if (Math.Abs(level - value) < Math.Abs(nearest - value))
                    (code, nearest) = (c, level);
            }
        }
        Format.SetCode(Block(row, group), index, code);
        return nearest;
    }

    /// <inheritdoc/>
    public override void RoundAll(float[] weight, float[] importance)
    {
        if (_halfQuadratic)
        {
            base.RoundAll(weight, importance);
            return;
        }
        Parallel.For(0, Rows, row =>
        {
            int rowBytes = _bytes.Length / Rows;
            Span<byte> to = _bytes.AsSpan(row * rowBytes, rowBytes);
            ReadOnlySpan<float> values = weight.AsSpan(row * Columns, Columns);
            if (importance.Length == 0)
                Format.Pack(values, to);
            else
                Format.Pack(values, importance, to);
        });
    }

    /// <summary>Gives up what is needed to round single weights of a group; its codes stay.</summary>
    internal void Forget(int row, int group) => _levels[(row * Groups) + group] = null;

    /// <inheritdoc/>
    public override float[] Values()
    {
        float[] values = new float[Rows * Columns];
        Parallel.For(0, Rows, row =>
        {
            int rowBytes = _bytes.Length / Rows;
            Format.Unpack(_bytes.AsSpan(row * rowBytes, rowBytes), values.AsSpan(row * Columns, Columns));
        });
        return values;
    }

    private Span<byte> Block(int row, int group) => _bytes.AsSpan(((row * Groups) + group) * Format.BytesPerBlock, Format.BytesPerBlock);

    private static PackedFormat Required(PackedFormat format)
    {
        ArgumentNullException.ThrowIfNull(format);
        return format;
    }
}
