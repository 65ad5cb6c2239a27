// Attention whose products are in bf16, on AMX tiles or AVX512-BF16 pairs: keys and values are packed into panels of 32 once for all queries, then
// each block of 32 queries runs over them with a running softmax in F32. Blocks are counted from the beginning of each sequence, so a
// sequence has the same bits alone and in a batch.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private const int Lines = Bf16Pack.Lines;
    private const int PanelKeys = 4 * Lines;

    // Pages of a cache are read in place.
    private bool UsesBf16(in AttentionTask task) => task.Precision == Precision.BF16 && Bf16Kernels.Has(Isa) && task.Layout.PageSize == 0;

    private void Bf16Attention(ref AttentionJob job)
    {
        AttentionLayout layout = job.Task.Layout;
        nint panels = (nint)job.KvHeads * PanelsBefore(layout, layout.Sequences) * Bf16Pack.StepElements;
        job.Kernels = Bf16Kernels.Of(Isa);
        job.KeyPanels = (ushort*)Scratch.Get(Scratch.Slot.ProductA, (nuint)(panels * Bf16Pack.Steps(job.D) * sizeof(ushort)));
        job.ValuePanels = (ushort*)Scratch.Get(Scratch.Slot.ProductB, (nuint)(panels * Bf16Pack.Steps(job.Dv) * sizeof(ushort)));
        job.BlocksPerHead = (layout.Longest.Queries + Lines - 1) / Lines;
        Workers.For(layout.Sequences * job.KvHeads, Unsafe.AsPointer(ref job), &PackKeys);
        Workers.For(layout.Sequences * job.Heads * job.BlocksPerHead, Unsafe.AsPointer(ref job), &Bf16AttentionPiece);
    }

    // Room for the panels of 32 keys of the sequences before one; the last of each may be filled in part.
    private static nint PanelsBefore(AttentionLayout layout, int sequence) =>
        ((sequence == layout.Sequences ? layout.TotalKeys : layout.KeyStart(sequence)) / Lines) + sequence;

    // The first of a sequence's panels for one key/value head, counted over all heads.
    private static nint PanelsBefore(AttentionLayout layout, int sequence, int kv) => (kv * PanelsBefore(layout, layout.Sequences)) + PanelsBefore(layout, sequence);

    private static ushort* KeyPanels(ref AttentionJob job, int sequence, int kv) =>
        job.KeyPanels + (PanelsBefore(job.Task.Layout, sequence, kv) * Bf16Pack.Steps(job.D) * Bf16Pack.StepElements);

    private static ushort* ValuePanels(ref AttentionJob job, int sequence, int kv) =>
        job.ValuePanels + (PanelsBefore(job.Task.Layout, sequence, kv) * Bf16Pack.Steps(job.Dv) * Bf16Pack.StepElements);

    // Keys are the columns of Kᵀ, so its panels are 32 keys over all of d; values are rows of V, whose panels are 32 columns over all keys.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackKeys(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        int sequence = item / job.KvHeads, kv = item % job.KvHeads, keys = job.Task.Layout.KeyCount(sequence);
        if (keys == 0 || job.Task.Layout.QueryCount(sequence) <= DecodeQueries)
            return;
        long row = job.Task.Layout.KeyStart(sequence);
        Operand k = new(job.K.At(row, kv), job.K.Row), v = new(job.V.At(row, kv), job.V.Row);
        Bf16Pack.Panels(k, alongLines: false, pairsFirst: true, 0, keys, job.D, KeyPanels(ref job, sequence, kv));
        Bf16Pack.Panels(v, alongLines: true, pairsFirst: true, 0, job.Dv, keys, ValuePanels(ref job, sequence, kv));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bf16AttentionPiece(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        int block = item % job.BlocksPerHead, head = item / job.BlocksPerHead % job.Heads;
        HeadView view = new(ref job.Task, item / job.BlocksPerHead / job.Heads, head);
        int first = block * Lines, rows = Math.Min(Lines, view.Queries - first);
        if (rows <= 0)
            return;
        if (view.Queries <= DecodeQueries)
        {
            Decode(ref job, view);
            return;
        }
        const int Step = Bf16Pack.StepElements, KeySteps = PanelKeys / Lines;
        int d = job.D, dv = job.Dv, kv = head / (job.Heads / job.KvHeads), steps = Bf16Pack.Steps(d), width = Bf16Pack.Steps(dv) * Lines;
        nint valuePanel = (nint)Bf16Pack.Steps(view.Keys) * Step;
        nuint bytes = (nuint)(((steps + KeySteps) * Step * sizeof(ushort)) + (Lines * (PanelKeys + width + 2) * sizeof(float)));
        ushort* queries = (ushort*)Scratch.Get(Scratch.Slot.Attention, bytes), probabilities = queries + (steps * Step);
        float* scores = (float*)(probabilities + (KeySteps * Step)), sum = scores + (Lines * PanelKeys), max = sum + (Lines * width), total = max + Lines;
        new Span<float>(sum, Lines * width).Clear();
        new Span<float>(max, rows).Fill(float.NegativeInfinity);
        new Span<float>(total, rows).Clear();
        ushort* keyPanels = KeyPanels(ref job, view.Sequence, kv), valuePanels = ValuePanels(ref job, view.Sequence, kv);
        (int from, int end) = (view.Visible(first).First, view.Visible(first + rows - 1).End);
        Operand q = new(job.Q.At(view.Row(first), head), job.Q.Row);
        Bf16Pack.Panels(q, alongLines: false, pairsFirst: false, 0, rows, d, queries);
        job.Kernels.Configure();
        for (int j = from / PanelKeys * PanelKeys; j < end; j += PanelKeys)
        {
            int count = Math.Min(PanelKeys, end - j), panels = Bf16Pack.Steps(count);
            nint panel = j / Lines;
            for (int p = 0; p < panels; p++)
                job.Kernels.Multiply(rows > 16, queries, keyPanels + ((panel + p) * steps * Step), scores + (p * Lines), PanelKeys, steps, load: false);
            for (int r = 0; r < rows; r++)
            {
                float* row = scores + (r * PanelKeys);
                float rescale = SoftmaxStep(view, first + r, j, count, panels * Lines, row, ref max[r], ref total[r]);
                if (rescale != 1f)
                    MapRun(new Times(rescale), dv, sum + (r * width), sum + (r * width), null, null);
            }
            Bf16Pack.Panels(new Operand(scores, PanelKeys), alongLines: false, pairsFirst: false, 0, rows, panels * Lines, probabilities);
            for (int c = 0; c < width; c += Lines)
                job.Kernels.Multiply(rows > 16, probabilities, valuePanels + (c / Lines * valuePanel) + (panel * Step), sum + c, width, panels, load: true);
        }
        job.Kernels.Release();
        for (int r = 0; r < rows; r++)
            WriteRow(ref job, view.Row(first + r), head, sum + (r * width), max[r], total[r]);
    }
}
