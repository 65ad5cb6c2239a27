// Products of which both operands come as they lie in memory. The smaller one is packed first, all workers together, and passes by; the larger one
// is cut into items, whose panels are packed right before they are used and stay in the L2 cache while the smaller one passes. So the larger operand
// (a weight, which training changes in every step, or the gradient of many outputs) is read from memory once, and its panels never get there.

namespace Gradus.Tensors.Cpu;

internal static unsafe partial class Bf16BlockGemm
{
    // Panels of the resident operand in an item and of the passing one in a group, over 1,024 k 64 KB each; they share the L2 cache.
    private const int ResidentPanels = 8;
    private const int PassingPanels = 16;
    private const int AheadBytes = 256;

    // Panels that are packed together: where lines are neighbours in memory it is read in pieces of 256 bytes.
    private const int PanelsAtOnce = 2;

    private static void Stream(in Bf16Kernels kernels, Workers workers, in GemmProblem problem)
    {
        bool rowsResident = problem.M > problem.N;
        (int passing, int resident) = rowsResident ? (problem.N, problem.M) : (problem.M, problem.N);
        // Each thread packs its items into the slot of the other operand.
        ushort* passed = (ushort*)Scratch.Get(rowsResident ? Scratch.Slot.ProductB : Scratch.Slot.ProductA, (nuint)PanelElements(passing, problem.K) * sizeof(ushort));
        if (rowsResident)
            Pack(workers, problem.B, !problem.B.Transposed, pairsFirst: true, problem.N, problem.K, passed);
        else
            Pack(workers, problem.A, problem.A.Transposed, pairsFirst: false, problem.M, problem.K, passed);
        int panels = (resident + Bf16Pack.Lines - 1) / Bf16Pack.Lines;
        long work = (long)problem.M * problem.N * problem.K;
        long wanted = workers.Count == 1 ? 1 : Math.Min(2L * workers.Count, work / SmallestItem);
        int items = Math.Max((panels + ResidentPanels - 1) / ResidentPanels, (int)Math.Min(wanted, panels));
        if (items > 1)
            items = Math.Min(panels, (items + workers.Count - 1) / workers.Count * workers.Count);
        StreamJob job = new()
        {
            Kernels = kernels,
            Problem = problem,
            RowsResident = rowsResident,
            Source = rowsResident ? problem.A : problem.B,
            AlongLines = rowsResident ? problem.A.Transposed : !problem.B.Transposed,
            Passed = passed,
            PassedLines = passing,
            Lines = resident,
            Items = items,
        };
        workers.For(items, &job, &StreamItem);
    }

    private static void StreamItem(void* context, int item, int worker)
    {
        StreamJob* job = (StreamJob*)context;
        (int first, int end) = Part(job->Lines, item, job->Items);
        int steps = Bf16Pack.Steps(job->Problem.K), panels = (end - first + Bf16Pack.Lines - 1) / Bf16Pack.Lines;
        int passedPanels = (job->PassedLines + Bf16Pack.Lines - 1) / Bf16Pack.Lines;
        nuint bytes = (nuint)panels * (nuint)Math.Min(steps, OuterSteps) * Bf16Pack.StepElements * sizeof(ushort);
        ushort* packed = (ushort*)Scratch.Get(job->RowsResident ? Scratch.Slot.ProductA : Scratch.Slot.ProductB, bytes);
        job->Kernels.Configure();
        for (int outer = 0; outer < steps; outer += OuterSteps)
        {
            StreamRange range = new() { Outer = outer, Steps = Math.Min(OuterSteps, steps - outer), First = first, End = end, Packed = packed };
            for (int passed = 0; passed < passedPanels; passed += PassingPanels)
            {
                (range.FirstPassed, range.EndPassed) = (passed, Math.Min(passed + PassingPanels, passedPanels));
                for (int panel = 0; panel < panels; panel += PanelsAtOnce)
                {
                    (range.Panel, range.EndPanel) = (panel, Math.Min(panel + PanelsAtOnce, panels));
                    range.Ahead = default;
                    if (passed == 0)
                        PackNext(job, ref range);
                    PassBy(job, ref range);
                }
            }
        }
        job->Kernels.Release();
    }

    // Packs the panels whose turn it is; those after them come into the cache while these are used.
    private static void PackNext(StreamJob* job, ref StreamRange range)
    {
        int k = range.Outer * Bf16Pack.StepK, endK = Math.Min(k + range.Steps * Bf16Pack.StepK, job->Problem.K);
        int line = range.First + range.Panel * Bf16Pack.Lines, next = range.First + range.EndPanel * Bf16Pack.Lines;
        ushort* to = range.Packed + (nint)range.Panel * range.Steps * Bf16Pack.StepElements;
        nint shift = k * (job->AlongLines ? job->Source.RowBytes : job->Source.ElementBytes);
        Operand part = job->Source with { Data = job->Source.Data + shift };
        Bf16Pack.Panels(part, job->AlongLines, pairsFirst: !job->RowsResident, line, Math.Min(next, range.End), endK - k, to);
        int last = Math.Min(next + PanelsAtOnce * Bf16Pack.Lines, range.End);
        if (next >= last)
            return;
        (int rows, int rowElements) = job->AlongLines ? (endK - k, last - next) : (last - next, endK - k);
        range.Ahead = new Ahead
        {
            At = part.Data + (job->AlongLines ? (nint)next * job->Source.ElementBytes : next * job->Source.RowBytes),
            RowBytes = job->Source.RowBytes,
            Rows = rows,
            Pieces = (rowElements * job->Source.ElementBytes + AheadBytes - 1) / AheadBytes,
        };
    }

    // All panels of the passing group over the resident panels of the range: one of these over 512 k stays in the L1 cache meanwhile.
    private static void PassBy(StreamJob* job, ref StreamRange range)
    {
        for (int panel = range.Panel; panel < range.EndPanel; panel++)
        {
            for (int step = 0; step < range.Steps; step += BlockSteps)
            {
                for (int passed = range.FirstPassed; passed < range.EndPassed; passed++)
                    StreamBlock(job, ref range, panel, passed, step);
            }
        }
    }

    private static void StreamBlock(StreamJob* job, ref StreamRange range, int panel, int passed, int step)
    {
        int steps = Bf16Pack.Steps(job->Problem.K), at = range.Outer + step, count = Math.Min(BlockSteps, range.Steps - step);
        ushort* resident = range.Packed + ((nint)panel * range.Steps + step) * Bf16Pack.StepElements;
        ushort* passing = job->Passed + ((nint)passed * steps + at) * Bf16Pack.StepElements;
        int line = range.First + panel * Bf16Pack.Lines, lines = Math.Min(range.End - line, Bf16Pack.Lines);
        int passedLine = passed * Bf16Pack.Lines, passedLines = Math.Min(job->PassedLines - passedLine, Bf16Pack.Lines);
        bool load = at > 0 || job->Problem.Accumulate, last = at + count == steps;
        Bf16Kernels kernels = job->Kernels.Fetching(range.Ahead.Next(count), range.Ahead.RowBytes);
        if (job->RowsResident)
            StreamBlock(kernels, job->Problem, resident, passing, (line, lines), (passedLine, passedLines), count, load, last);
        else
            StreamBlock(kernels, job->Problem, passing, resident, (passedLine, passedLines), (line, lines), count, load, last);
    }

    private static void StreamBlock(in Bf16Kernels kernels, in GemmProblem problem, ushort* a, ushort* b, (int First, int Count) rows, (int First, int Count) columns, int steps, bool load, bool last)
    {
        if (last)
            LastBlock(kernels, problem, a, b, rows.First, columns.First, rows.Count, columns.Count, steps, load);
        else
            Block(kernels, a, b, problem.C + rows.First * problem.StrideC + columns.First, problem.StrideC, rows.Count, columns.Count, steps, load);
    }

    /// <summary>Memory that will be packed next: rows of some pieces of 256 bytes, which blocks fetch piece by piece down the rows.</summary>
    private struct Ahead
    {
        public byte* At;
        public nint RowBytes;
        public int Rows;
        public int Pieces;
        private int _row;

        /// <summary>Where the next block of so many steps begins to fetch; null behind the end.</summary>
        public byte* Next(int steps)
        {
            if (Pieces == 0)
                return null;
            byte* at = At + _row * RowBytes;
            _row += steps;
            if (_row >= Rows)
            {
                _row = 0;
                At += AheadBytes;
                Pieces--;
            }
            return at;
        }
    }

    private struct StreamRange
    {
        public int Outer;
        public int Steps;
        public int First;
        public int End;
        public int Panel;
        public int EndPanel;
        public int FirstPassed;
        public int EndPassed;
        public ushort* Packed;
        public Ahead Ahead;
    }

    private struct StreamJob
    {
        public Bf16Kernels Kernels;
        public GemmProblem Problem;
        public Operand Source;
        public bool RowsResident;
        public bool AlongLines;
        public ushort* Passed;
        public int PassedLines;
        public int Lines;
        public int Items;
    }
}
