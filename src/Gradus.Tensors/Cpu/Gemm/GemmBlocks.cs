// The blocking around the tile kernel. C is cut into items for the workers, rows × columns of whole tiles. An item goes over k in blocks;
// for each it packs its rows of A (they stay in the L2 cache) and then, panel by panel, its columns of B (which stay in L1 while all rows
// pass). Nothing is shared between items, so there is no barrier; the price is that A is packed once per column of items and B once per row.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Blocks and parallel items of a product, for one register width.</summary>
internal static unsafe class GemmBlocks<T>
    where T : unmanaged, ILanes<T>
{
    private const int BlockK = 192;
    private const long SmallestItem = 1 << 20;

    /// <summary>The width of a panel of B.</summary>
    private static int Columns => 2 * T.Width;

    /// <summary>Computes a product of at least one row and one column.</summary>
    public static void Run(Workers workers, in GemmProblem problem, TileSizes tile)
    {
        Plan plan = new() { Problem = problem, Tile = tile };
        int rowPanels = (problem.M + tile.Rows - 1) / tile.Rows, columnPanels = (problem.N + Columns - 1) / Columns;
        plan.RowItems = (int)(((long)rowPanels * tile.Rows + tile.BlockRows - 1) / tile.BlockRows);
        plan.ColumnItems = (int)(((long)columnPanels * Columns + tile.BlockColumns - 1) / tile.BlockColumns);
        long work = (long)problem.M * problem.N * Math.Max(problem.K, 1) * problem.Batch;
        long wanted = workers.Count == 1 ? 1 : Math.Min(4L * workers.Count, work / SmallestItem);
        while ((long)problem.Batch * plan.RowItems * plan.ColumnItems < wanted)
        {
            // Cut the longer side of an item; a side of one panel cannot be cut.
            bool cutColumns = problem.N / plan.ColumnItems >= problem.M / plan.RowItems ? plan.ColumnItems < columnPanels : plan.RowItems >= rowPanels;
            if (cutColumns && plan.ColumnItems < columnPanels)
                plan.ColumnItems++;
            else if (plan.RowItems < rowPanels)
                plan.RowItems++;
            else
                break;
        }
        workers.For(checked(problem.Batch * plan.RowItems * plan.ColumnItems), &plan, &Item);
    }

    private static void Item(void* context, int item, int worker)
    {
        Plan* plan = (Plan*)context;
        int perBatch = plan->RowItems * plan->ColumnItems;
        int entry = item / perBatch, row = item % perBatch / plan->ColumnItems, column = item % plan->ColumnItems;
        GemmProblem problem = plan->Problem.OfBatch(entry);
        (int firstRow, int endRow) = Part(problem.M, plan->Tile.Rows, row, plan->RowItems);
        (int firstColumn, int endColumn) = Part(problem.N, Columns, column, plan->ColumnItems);
        if (problem.K == 0)
            WithoutProducts(problem, firstRow, endRow, firstColumn, endColumn);
        else
            Block(problem, plan->Tile, firstRow, endRow, firstColumn, endColumn);
    }

    private static (int First, int End) Part(int size, int panel, int part, int parts)
    {
        long panels = (size + panel - 1) / panel;
        long first = panels * part / parts * panel, end = panels * (part + 1) / parts * panel;
        return ((int)Math.Min(first, size), (int)Math.Min(end, size));
    }

    private static void Block(in GemmProblem problem, TileSizes tile, int firstRow, int endRow, int firstColumn, int endColumn)
    {
        int blocks = (problem.K + BlockK - 1) / BlockK;
        int blockK = Math.Min(problem.K, ((problem.K + blocks - 1) / blocks + 15) & ~15);
        nint rows = (endRow - firstRow + tile.Rows - 1) / tile.Rows * tile.Rows;
        float* a = (float*)Scratch.Get(Scratch.Slot.ProductA, (nuint)(rows * blockK + 16) * sizeof(float));
        float* b = (float*)Scratch.Get(Scratch.Slot.ProductB, (nuint)(Columns * blockK + 16) * sizeof(float));
        for (int k = 0; k < problem.K; k += blockK)
        {
            int count = Math.Min(blockK, problem.K - k);
            PackRows(problem.A, tile.Rows, firstRow, endRow, k, count, a);
            for (int column = firstColumn; column < endColumn; column += Columns)
            {
                Step step = new()
                {
                    Count = count,
                    Columns = Math.Min(Columns, endColumn - column),
                    Load = problem.Accumulate || k > 0,
                    Bias = k + count == problem.K ? problem.Bias : null,
                    C = problem.C,
                    StrideC = problem.StrideC,
                };
                GemmPack<T>.Panel(problem.B, !problem.B.Transposed, column, step.Columns, Columns, k, count, b);
                PassRows(step, tile.Rows, firstRow, endRow, column, a, b);
            }
        }
    }

    private static void PackRows(in Operand operand, int tileRows, int first, int end, int k, int count, float* to)
    {
        for (int row = first; row < end; row += tileRows)
        {
            int lines = Math.Min(tileRows, end - row), height = HeightFor(lines, tileRows);
            GemmPack<T>.Panel(operand, operand.Transposed, row, lines, height, k, count, to);
            to += (nint)height * count;
        }
    }

    private static void PassRows(in Step step, int tileRows, int first, int end, int column, float* a, float* b)
    {
        for (int row = first; row < end; row += tileRows)
        {
            int lines = Math.Min(tileRows, end - row), height = HeightFor(lines, tileRows);
            float* c = step.C + row * step.StrideC + column;
            if (lines == height && step.Columns == Columns)
                Tile(height, step.Count, a, b, c, step.StrideC, step.Load, step.Bias == null ? null : step.Bias + column, c + height * step.StrideC);
            else
                EdgeTile(step, lines, height, column, a, b, c);
            a += (nint)height * step.Count;
        }
    }

    // A tile over C's edge is computed beside C.
    [SkipLocalsInit]
    private static void EdgeTile(in Step step, int lines, int height, int column, float* a, float* b, float* c)
    {
        float* tile = stackalloc float[14 * 32];
        float* bias = null;
        if (step.Load)
        {
            new Span<float>(tile, height * Columns).Clear();
            for (int r = 0; r < lines; r++)
                CopyRow(c + r * step.StrideC, tile + r * Columns, step.Columns);
        }
        if (step.Bias != null)
        {
            float* padded = stackalloc float[32];
            bias = padded;
            new Span<float>(padded, Columns).Clear();
            CopyRow(step.Bias + column, padded, step.Columns);
        }
        Tile(height, step.Count, a, b, tile, Columns, step.Load, bias, tile);
        for (int r = 0; r < lines; r++)
            CopyRow(tile + r * Columns, c + r * step.StrideC, step.Columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyRow(float* from, float* to, int count)
    {
        int first = Math.Min(count, T.Width);
        T.StoreTail(to, first, T.LoadTail(from, first));
        if (count > first)
            T.StoreTail(to + first, count - first, T.LoadTail(from + first, count - first));
    }

    private static int HeightFor(int lines, int tileRows) => lines switch
    {
        1 or 2 => lines,
        <= 4 => 4,
        <= 6 when tileRows == 6 => 6,
        <= 8 when tileRows == 14 => 8,
        _ => tileRows,
    };

    private static void Tile(int height, int k, float* a, float* b, float* c, nint strideC, bool load, float* bias, float* next)
    {
        switch (height)
        {
            case 1:
                GemmTile<T, Height1>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
            case 2:
                GemmTile<T, Height2>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
            case 4:
                GemmTile<T, Height4>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
            case 6:
                GemmTile<T, Height6>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
            case 8:
                GemmTile<T, Height8>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
            default:
                GemmTile<T, Height14>.Multiply(k, a, b, c, strideC, load, bias, next);
                break;
        }
    }

    // K = 0: the sum of nothing.
    private static void WithoutProducts(in GemmProblem problem, int firstRow, int endRow, int firstColumn, int endColumn)
    {
        for (int row = firstRow; row < endRow; row++)
        {
            float* c = problem.C + row * problem.StrideC;
            for (int column = firstColumn; column < endColumn; column++)
                c[column] = (problem.Accumulate ? c[column] : 0) + (problem.Bias == null ? 0 : problem.Bias[column]);
        }
    }

    /// <summary>A product and how it is cut into items.</summary>
    private struct Plan
    {
        public GemmProblem Problem;
        public TileSizes Tile;
        public int RowItems;
        public int ColumnItems;
    }

    /// <summary>What all tiles of one block of k and one panel of B have in common.</summary>
    private readonly struct Step
    {
        public int Count { get; init; }

        public int Columns { get; init; }

        public bool Load { get; init; }

        public float* Bias { get; init; }

        public float* C { get; init; }

        public nint StrideC { get; init; }
    }
}

/// <summary>The sizes that depend on the instruction set.</summary>
/// <param name="Rows">The height of a full tile.</param>
/// <param name="BlockRows">The most rows of A that an item packs at once, a multiple of Rows.</param>
/// <param name="BlockColumns">The most columns of C that an item computes.</param>
internal readonly record struct TileSizes(int Rows, int BlockRows, int BlockColumns);
