using System.Runtime.CompilerServices;

namespace Gradus.Tensors;

/// <summary>The sizes of a tensor's axes, outermost first (row-major). Up to six axes; a scalar has none.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The largest number of axes.</summary>
    public const int MaxRank = 6;

    private readonly Axes _axes;
    private readonly long _count;

    /// <summary>Makes a shape from its axis sizes.</summary>
    /// <exception cref="ArgumentException">More than six axes, a negative size, or more than 2⁶² elements.</exception>
    public Shape(params ReadOnlySpan<int> axes)
    {
        if (axes.Length > MaxRank)
            throw new ArgumentException($"A shape has at most {MaxRank} axes, not {axes.Length}.", nameof(axes));
        long count = 1;
        for (int i = 0; i < axes.Length; i++)
        {
            if (axes[i] < 0)
                throw new ArgumentException($"Axis {i} has the negative size {axes[i]}.", nameof(axes));
            count = Math.BigMul(count, axes[i], out long low) is 0 && low is >= 0 and < 1L << 62
                ? low
                : throw new ArgumentException("The shape has more than 2^62 elements.", nameof(axes));
            _axes[i] = axes[i];
        }
        Rank = axes.Length;
        _count = count;
    }

    /// <summary>The number of axes.</summary>
    public int Rank { get; }

    /// <summary>The number of elements: the product of all axes.</summary>
    public long Count => Rank == 0 ? 1 : _count;

    /// <summary>The size of an axis; negative indices count from the last (−1).</summary>
    public int this[int axis]
    {
        get
        {
            int i = axis < 0 ? axis + Rank : axis;
            return (uint)i < (uint)Rank
                ? _axes[i]
                : throw new ArgumentOutOfRangeException(nameof(axis), axis, $"The shape {this} has no axis {axis}.");
        }
    }

    /// <summary>The innermost size, or 1 for a scalar: the length of a row.</summary>
    public int Columns => Rank == 0 ? 1 : _axes[Rank - 1];

    /// <summary>The number of rows: the product of all axes but the last.</summary>
    public long Rows
    {
        get
        {
            long rows = 1;
            for (int i = 0; i < Rank - 1; i++)
                rows *= _axes[i];
            return rows;
        }
    }

    /// <summary>This shape with another last axis.</summary>
    public Shape WithColumns(int columns) => With(-1, columns);

    /// <summary>This shape with another size of one axis; negative indices count from the last (−1).</summary>
    public Shape With(int axis, int size)
    {
        int changed = axis < 0 ? axis + Rank : axis;
        if ((uint)changed >= (uint)Rank)
            throw new ArgumentOutOfRangeException(nameof(axis), axis, $"The shape {this} has no axis {axis}.");
        Span<int> axes = stackalloc int[MaxRank];
        for (int i = 0; i < Rank; i++)
            axes[i] = i == changed ? size : _axes[i];
        return new Shape(axes[..Rank]);
    }

    /// <summary>The axes as an array.</summary>
    public int[] ToArray()
    {
        int[] axes = new int[Rank];
        for (int i = 0; i < Rank; i++)
            axes[i] = _axes[i];
        return axes;
    }

    /// <inheritdoc/>
    public bool Equals(Shape other)
    {
        if (Rank != other.Rank)
            return false;
        for (int i = 0; i < Rank; i++)
        {
            if (_axes[i] != other._axes[i])
                return false;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, Count, Columns);

    /// <summary>The axes in parentheses: <c>(8, 128)</c>.</summary>
    public override string ToString() => $"({string.Join(", ", ToArray())})";

    /// <summary>Whether two shapes have the same axes.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether two shapes differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    [InlineArray(MaxRank)]
    private struct Axes
    {
        private int _first;
    }
}
