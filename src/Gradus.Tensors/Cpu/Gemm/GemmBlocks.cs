// The blocking around the tile kernel. C is cut into items for the workers, rows × columns of whole tiles. An operand that several items need is
// packed first, once, by all workers together; the other one is packed by the item that needs it, right before its use. Small products and
// those of a batch share nothing between items: a second loop over the workers would cost more than packing twice. Two workers may be the two
// threads of one core, so the blocks are meant for half of its caches.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Blocks and parallel items of a product, for one register width.</summary>
internal static unsafe class GemmBlocks<T>
    where T : unmanaged, ILanes<T>
{
    private const int BlockK = 256;
    private const int PanelsOfRows = 8;
    private const long SmallestItem = 1 << 20;
    private const long SmallestShared = 1 << 24;
    private const nuint LargestShared = 64 << 20;

    /// <summary>The width of a panel of B.</summary>
    private static int Columns => 2 * T.Width;

    /// <summary>Computes a product of at least one row and one column.</summary>
    public static void Run(Workers workers, in GemmProblem problem, TileSizes tile)
    {
        Plan plan = new() { Problem = problem, Tile = tile };
        long work = (long)problem.M * problem.N * Math.Max(problem.K, 1) * problem.Batch;
        long wanted = workers.Count == 1 ? 1 : Math.Min(4L * workers.Count, work / SmallestItem);
        if (problem.Batch == 1 && problem.K > 0 && work >= SmallestShared && problem.M > tile.Rows * wanted)
        {
            CutLonger(ref plan, wanted);
            Share(workers, ref plan);
        }
        else
        {
            Cut(ref plan, wanted);
        }
        int items = checked(problem.Batch * plan.RowItems * plan.ColumnItems);
        if (work >= SmallestItem)
        {
            workers.For(items, &plan, &Item);
            return;
        }
        // Waking a worker would take longer than the whole product.
        for (int item = 0; item < items; item++)
            Item(&plan, item, 0);
    }

    private static void Cut(ref Plan plan, long wanted)
    {
        GemmProblem problem = plan.Problem;
        (int rowPanels, int columnPanels) = plan.Panels;
        plan.RowItems = 1;
        plan.ColumnItems = (int)(((long)columnPanels * Columns + plan.Tile.BlockColumns - 1) / plan.Tile.BlockColumns);
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
    }

    // Items across the longer side of C only, so that they share the smaller operand and nobody else needs what they pack themselves.
    private static void CutLonger(ref Plan plan, long wanted)
    {
        GemmProblem problem = plan.Problem;
        (int rowPanels, int columnPanels) = plan.Panels;
        bool rows = problem.M > problem.N && problem.B.Format == BlockFormat.None;
        int least = rows ? 1 : (int)(((long)columnPanels * Columns + plan.Tile.BlockColumns - 1) / plan.Tile.BlockColumns);
        int items = (int)Math.Clamp(wanted, least, Math.Max(least, rows ? rowPanels : columnPanels));
        (plan.RowItems, plan.ColumnItems) = rows ? (items, 1) : (1, items);
    }

    // Packs what all items need.
    private static void Share(Workers workers, ref Plan plan)
    {
        GemmProblem problem = plan.Problem;
        (int rowPanels, int columnPanels) = plan.Panels;
        int blockK = BlockSize(problem);
        nuint blocks = (nuint)((problem.K + blockK - 1) / blockK);
        bool rows = plan.ColumnItems > 1, columns = plan.RowItems > 1 || (plan.ColumnItems == 1 && problem.N > plan.Tile.BlockColumns);
        nuint bytesA = blocks * (nuint)rowPanels * (nuint)Distance(plan.Tile.Rows, blockK) * sizeof(float);
        nuint bytesB = blocks * (nuint)columnPanels * (nuint)Distance(Columns, blockK) * sizeof(float);
        if (rows && bytesA <= LargestShared)
        {
            plan.A = (float*)Scratch.Get(Scratch.Slot.ProductA, bytesA);
            fixed (Plan* job = &plan)
                workers.For((rowPanels + PanelsOfRows - 1) / PanelsOfRows, job, &PackSharedRows);
        }
        else if (columns && bytesB <= LargestShared)
        {
            plan.B = (float*)Scratch.Get(Scratch.Slot.ProductB, bytesB);
            fixed (Plan* job = &plan)
                workers.For((columnPanels + PanelsOfRows - 1) / PanelsOfRows, job, &PackSharedColumns);
        }
        else if (columns)
        {
            Cut(ref plan, (long)plan.RowItems * plan.ColumnItems);
        }
    }

    private static void PackSharedRows(void* context, int item, int worker)
    {
        Plan* plan = (Plan*)context;
        GemmProblem problem = plan->Problem;
        int tileRows = plan->Tile.Rows, blockK = BlockSize(problem), row = item * PanelsOfRows * tileRows, endRow = Math.Min(row + PanelsOfRows * tileRows, problem.M);
        for (int k = 0; k < problem.K; k += blockK)
            PackRows(problem.A, tileRows, row, endRow, k, Math.Min(blockK, problem.K - k), plan->SharedA(k / blockK, row / tileRows, blockK), Distance(tileRows, blockK));
    }

    private static void PackSharedColumns(void* context, int item, int worker)
    {
        Plan* plan = (Plan*)context;
        GemmProblem problem = plan->Problem;
        int blockK = BlockSize(problem), column = item * PanelsOfRows * Columns, endColumn = Math.Min(column + PanelsOfRows * Columns, problem.N);
        for (int k = 0; k < problem.K; k += blockK)
            Pack(problem.B, !problem.B.Transposed, column, endColumn, Columns, k, Math.Min(blockK, problem.K - k), plan->SharedB(k / blockK, column / Columns, blockK), Distance(Columns, blockK));
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
        else if (endRow - firstRow <= plan->Tile.Rows)
            Thin(problem, plan->Tile.Rows, firstRow, endRow, firstColumn, endColumn);
        else
            Wide(plan, problem, firstRow, endRow, firstColumn, endColumn);
    }

    private static (int First, int End) Part(int size, int panel, int part, int parts)
    {
        long panels = (size + panel - 1) / panel;
        long first = panels * part / parts * panel, end = panels * (part + 1) / parts * panel;
        return ((int)Math.Min(first, size), (int)Math.Min(end, size));
    }

    // Many rows: a block of B stays in the L2 cache while rows pass over it, a few packed panels of A at a time.
    private static void Wide(Plan* plan, in GemmProblem problem, int firstRow, int endRow, int firstColumn, int endColumn)
    {
        int tileRows = plan->Tile.Rows, blockK = BlockSize(problem);
        nint distanceA = Distance(tileRows, blockK), distanceB = Distance(Columns, blockK);
        float* ownA = plan->A != null ? null : (float*)Scratch.Get(Scratch.Slot.ProductA, (nuint)(PanelsOfRows * distanceA) * sizeof(float));
        float* ownB = plan->B != null ? null : (float*)Scratch.Get(Scratch.Slot.ProductB, (nuint)((endColumn - firstColumn + Columns - 1) / Columns * distanceB) * sizeof(float));
        for (int k = 0; k < problem.K; k += blockK)
        {
            int count = Math.Min(blockK, problem.K - k);
            if (ownB != null)
                Pack(problem.B, !problem.B.Transposed, firstColumn, endColumn, Columns, k, count, ownB, distanceB);
            float* b = ownB != null ? ownB : plan->SharedB(k / blockK, firstColumn / Columns, blockK);
            for (int rows = firstRow; rows < endRow; rows += PanelsOfRows * tileRows)
            {
                int endRows = Math.Min(rows + PanelsOfRows * tileRows, endRow);
                if (ownA != null)
                    PackRows(problem.A, tileRows, rows, endRows, k, count, ownA, distanceA);
                float* a = ownA != null ? ownA : plan->SharedA(k / blockK, rows / tileRows, blockK);
                for (int column = firstColumn; column < endColumn; column += plan->Tile.BlockColumns)
                {
                    int end = Math.Min(column + plan->Tile.BlockColumns, endColumn);
                    for (int row = rows; row < endRows; row += tileRows)
                    {
                        TileRow(problem, tileRows, row, endRow, column, end, k, count, a + (row - rows) / tileRows * distanceA, b + (column - firstColumn) / Columns * distanceB);
                        if (k + count == problem.K)
                            problem.Finish(row, column, Math.Min(tileRows, endRow - row), end - column);
                    }
                }
            }
        }
    }

    private static void TileRow(in GemmProblem problem, int tileRows, int row, int endRow, int firstColumn, int endColumn, int k, int count, float* a, float* b)
    {
        nint distance = Distance(Columns, BlockSize(problem));
        for (int column = firstColumn; column < endColumn; column += Columns, b += distance)
            Tile(problem, tileRows, row, endRow, column, endColumn, k, count, a, b);
    }

    // Few rows, at most one tile high: all of A is packed once, and panels of B are used right after they were packed. A panel lies in one
    // piece of memory only where neighbours are neighbours in k; else several go together.
    private static void Thin(in GemmProblem problem, int tileRows, int row, int endRow, int firstColumn, int endColumn)
    {
        int blockK = BlockSize(problem);
        bool alongLines = !problem.B.Transposed;
        int step = alongLines ? GemmPack<T>.PanelsAtOnce * Columns : Columns;
        nint distanceA = Distance(tileRows, blockK), distanceB = Distance(Columns, blockK);
        float* a = (float*)Scratch.Get(Scratch.Slot.ProductA, (nuint)((problem.K + blockK - 1) / blockK * distanceA) * sizeof(float));
        float* b = (float*)Scratch.Get(Scratch.Slot.ProductB, (nuint)(step / Columns * distanceB) * sizeof(float));
        for (int k = 0; k < problem.K; k += blockK)
            PackRows(problem.A, tileRows, row, endRow, k, Math.Min(blockK, problem.K - k), a + k / blockK * distanceA, distanceA);
        for (int first = firstColumn; first < endColumn; first += step)
        {
            int end = Math.Min(first + step, endColumn);
            for (int k = 0; k < problem.K; k += blockK)
            {
                int count = Math.Min(blockK, problem.K - k);
                Pack(problem.B, alongLines, first, end, Columns, k, count, b, distanceB);
                float* panel = b;
                for (int column = first; column < end; column += Columns, panel += distanceB)
                    Tile(problem, tileRows, row, endRow, column, endColumn, k, count, a + k / blockK * distanceA, panel);
            }
            problem.Finish(row, first, endRow - row, end - first);
        }
    }

    // Rows in panels as high as tiles; the last panel may be lower.
    private static void PackRows(in Operand operand, int tileRows, int row, int endRow, int k, int count, float* to, nint distance)
    {
        int whole = (endRow - row) / tileRows;
        Pack(operand, operand.Transposed, row, row + whole * tileRows, tileRows, k, count, to, distance);
        row += whole * tileRows;
        if (row < endRow)
            Pack(operand, operand.Transposed, row, endRow, HeightFor(endRow - row, tileRows), k, count, to + whole * distance, distance);
    }

    private static void Pack(in Operand operand, bool alongLines, int line, int end, int width, int k, int count, float* to, nint distance)
    {
        if (alongLines)
        {
            GemmPack<T>.PanelsAlongLines(operand, line, end, width, k, count, to, distance);
            return;
        }
        for (; line < end; line += width, to += distance)
            GemmPack<T>.PanelAlongK(operand, line, Math.Min(width, end - line), width, k, count, to);
    }

    // One register beyond the panel, for writes that overlap its end; an odd number of cache lines keeps panels in different sets.
    private static nint Distance(int width, int count) => (((nint)width * count + 15) / 16 + 1 | 1) * 16;

    // Blocks of equal size; those of packed weights begin where weight blocks begin.
    private static int BlockSize(in GemmProblem problem)
    {
        int blocks = (problem.K + BlockK - 1) / BlockK;
        int equal = ((problem.K + blocks - 1) / blocks + 15) & ~15;
        return Math.Min(problem.K, problem.B.Format == BlockFormat.None ? equal : BlockK);
    }

    private static void Tile(in GemmProblem problem, int tileRows, int row, int endRow, int column, int endColumn, int k, int count, float* a, float* b)
    {
        int lines = Math.Min(tileRows, endRow - row), height = HeightFor(lines, tileRows), columns = Math.Min(Columns, endColumn - column);
        float* c = problem.C + row * problem.StrideC + column;
        bool load = problem.Accumulate || k > 0;
        float* bias = problem.Bias != null && k + count == problem.K ? problem.Bias + column : null;
        FetchNext(c + Columns, lines, problem.StrideC);
        if (lines == height && columns == Columns)
            Tile(height, count, a, b, c, problem.StrideC, load, bias);
        else
            EdgeTile(lines, height, columns, count, a, b, c, problem.StrideC, load, bias);
    }

    // The tile to the right comes into the L2 cache while this one is computed. It may lie outside C; prefetches never fault.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchNext(float* c, int lines, nint strideC)
    {
        if (!Sse.IsSupported)
            return;
        for (int r = 0; r < lines; r++)
        {
            Sse.Prefetch1(c + r * strideC);
            if (T.Width == 16)
                Sse.Prefetch1(c + r * strideC + T.Width);
        }
    }

    // A tile over C's edge is computed beside C.
    [SkipLocalsInit]
    private static void EdgeTile(int lines, int height, int columns, int k, float* a, float* b, float* c, nint strideC, bool load, float* bias)
    {
        float* tile = stackalloc float[14 * 32];
        float* padded = stackalloc float[32];
        if (load)
        {
            new Span<float>(tile, height * Columns).Clear();
            for (int r = 0; r < lines; r++)
                CopyRow(c + r * strideC, tile + r * Columns, columns);
        }
        if (bias != null)
        {
            new Span<float>(padded, Columns).Clear();
            CopyRow(bias, padded, columns);
            bias = padded;
        }
        Tile(height, k, a, b, tile, Columns, load, bias);
        for (int r = 0; r < lines; r++)
            CopyRow(tile + r * Columns, c + r * strideC, columns);
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

    private static void Tile(int height, int k, float* a, float* b, float* c, nint strideC, bool load, float* bias)
    {
        switch (height)
        {
            case 1:
                GemmTile<T, Height1>.Multiply(k, a, b, c, strideC, load, bias);
                break;
            case 2:
                GemmTile<T, Height2>.Multiply(k, a, b, c, strideC, load, bias);
                break;
            case 4:
                GemmTile<T, Height4>.Multiply(k, a, b, c, strideC, load, bias);
                break;
            case 6:
                GemmTile<T, Height6>.Multiply(k, a, b, c, strideC, load, bias);
                break;
            case 8:
                GemmTile<T, Height8>.Multiply(k, a, b, c, strideC, load, bias);
                break;
            default:
                GemmTile<T, Height14>.Multiply(k, a, b, c, strideC, load, bias);
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
        problem.Finish(firstRow, firstColumn, endRow - firstRow, endColumn - firstColumn);
    }

    /// <summary>A product and how it is cut into items.</summary>
    private struct Plan
    {
        public GemmProblem Problem;
        public TileSizes Tile;
        public int RowItems;
        public int ColumnItems;

        /// <summary>All of A, packed block of k by block of k; or null.</summary>
        public float* A;

        /// <summary>All of B likewise.</summary>
        public float* B;

        /// <summary>Panels of A and of B.</summary>
        public readonly (int Rows, int Columns) Panels =>
            ((Problem.M + Tile.Rows - 1) / Tile.Rows, (Problem.N + GemmBlocks<T>.Columns - 1) / GemmBlocks<T>.Columns);

        /// <summary>A panel of A in a block of k.</summary>
        public readonly float* SharedA(int block, int panel, int blockK) => A + ((nint)block * Panels.Rows + panel) * Distance(Tile.Rows, blockK);

        /// <summary>A panel of B in a block of k.</summary>
        public readonly float* SharedB(int block, int panel, int blockK) => B + ((nint)block * Panels.Columns + panel) * Distance(GemmBlocks<T>.Columns, blockK);
    }
}

/// <summary>The sizes that depend on the instruction set.</summary>
/// <param name="Rows">The height of a full tile.</param>
/// <param name="BlockColumns">The most columns of C that an item computes.</param>
internal readonly record struct TileSizes(int Rows, int BlockColumns);
