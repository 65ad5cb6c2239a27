namespace Gradus.Tensors.Tests;

internal static partial class DeviceCases
{
    private static readonly AttentionOptions Causal = new(0.25f, true);

    private static IEnumerable<DeviceCase> Attentions()
    {
        // Lengths around the blocks of 64 queries and keys.
        int[] lengths = [1, 3, 4, 5, 17, 63, 64, 65, 130];
        foreach (int n in lengths)
        {
            yield return Attend(nameof(Device.Attention), $"{n} causal", new AttentionSetup([n], [n], Causal));
            yield return Attend(nameof(Device.Attention), $"{n} open", new AttentionSetup([n], [n], Causal with { Causal = false }, D: 17, Dv: 33));
            yield return Attend(nameof(Device.AttentionGradient), $"{n} causal", new AttentionSetup([n], [n], Causal));
            yield return Attend(nameof(Device.Attention), $"{n} causal, bf16", new AttentionSetup([n], [n], Causal, Precision: Precision.BF16));
            yield return Attend(nameof(Device.Attention), $"{n} open, bf16", new AttentionSetup([n], [n], Causal with { Causal = false }, D: 17, Dv: 33, Precision: Precision.BF16));
            yield return Attend(nameof(Device.AttentionGradient), $"{n} causal, bf16", new AttentionSetup([n], [n], Causal, Precision: Precision.BF16));
        }
        foreach (int d in new[] { 1, 3, 4, 8, 16, 31, 64, 65 })
        {
            yield return Attend(nameof(Device.Attention), $"heads of {d}", new AttentionSetup([7, 2], [7, 2], Causal, D: d, Dv: d));
            yield return Attend(nameof(Device.AttentionGradient), $"heads of {d}", new AttentionSetup([7], [7], Causal, D: d, Dv: 66 - d));
            yield return Attend(nameof(Device.Attention), $"heads of {d}, bf16", new AttentionSetup([70, 2], [70, 2], Causal, D: d, Dv: d, Precision: Precision.BF16));
            yield return Attend(nameof(Device.AttentionGradient), $"heads of {d}, bf16", new AttentionSetup([70], [70], Causal, D: d, Dv: 66 - d, Precision: Precision.BF16));
        }
        AttentionSetup ragged = new([5, 0, 70, 1, 3], [5, 0, 70, 1, 3], Causal);
        AttentionSetup cross = new([3, 66, 2, 0, 90], [65, 7, 0, 4, 11], Causal with { Causal = false });
        (string Name, AttentionSetup Setup)[] setups =
        [
            ("ragged", ragged),
            ("window of 1", ragged with { Options = Causal with { Window = 1 } }),
            ("window of 20", ragged with { Options = Causal with { Window = 20 } }),
            ("window of 64 over 200", new AttentionSetup([200], [200], Causal with { Window = 64 })),
            ("open window", ragged with { Options = Causal with { Window = 10, Causal = false } }),
            ("soft cap", ragged with { Options = Causal with { SoftCap = 0.8f } }),
            ("dropout", ragged with { Options = Causal with { Dropout = 0.3f, DropoutKey = 5 } }),
            ("dropout over 200", new AttentionSetup([200, 7], [200, 7], new AttentionOptions(0.25f, false, Dropout: 0.9f, DropoutKey: 6))),
            ("dropout, grouped heads, window, cap", ragged with { Heads = 6, KvHeads = 2, Options = new AttentionOptions(0.25f, true, 20, 2, 0.5f, 7) }),
            ("negative scale", ragged with { Options = Causal with { Scale = -0.5f } }),
            ("no scale", ragged with { Options = Causal with { Scale = 0 } }),
            ("slopes", ragged with { Slopes = true }),
            ("bias", ragged with { Bias = true }),
            ("bias that masks whole blocks", ragged with { Bias = true, Masked = true }),
            ("bias by distance", ragged with { Bias = true, ByDistance = true }),
            ("bias by distance, grouped heads, open", ragged with { Heads = 4, KvHeads = 2, Bias = true, ByDistance = true, Options = Causal with { Causal = false } }),
            ("bias by distance, cross", cross with { Bias = true, ByDistance = true }),
            ("cap, slopes, bias and window", ragged with { Options = new AttentionOptions(0.25f, true, 9, 2), Slopes = true, Bias = true }),
            ("grouped heads", ragged with { Heads = 6, KvHeads = 2 }),
            ("grouped heads with bias", ragged with { Heads = 4, KvHeads = 2, Bias = true }),
            ("cross", cross),
            ("cross, causal: queries without keys", cross with { Options = Causal }),
            ("cross, causal window", cross with { Options = Causal with { Window = 5 } }),
            ("side by side", ragged with { Heads = 4, KvHeads = 4, Groups = 1 }),
            ("side by side, head by head", ragged with { Heads = 3, KvHeads = 3, Groups = 3, Slopes = true }),
            ("side by side, grouped heads", ragged with { Heads = 6, KvHeads = 2, Groups = 2 }),
            ("side by side, one key/value head, dropout", ragged with { Heads = 3, KvHeads = 1, Groups = 1, Options = Causal with { Dropout = 0.3f, DropoutKey = 3 } }),
            ("no sequences", new AttentionSetup([], [], Causal)),
            ("no heads", ragged with { Heads = 0, KvHeads = 1 }),
        ];
        foreach ((string name, AttentionSetup setup) in setups)
        {
            yield return Attend(nameof(Device.Attention), name, setup);
            yield return Attend(nameof(Device.AttentionGradient), name, setup);
            yield return Attend(nameof(Device.Attention), $"{name}, bf16", setup with { Precision = Precision.BF16 });
            yield return Attend(nameof(Device.AttentionGradient), $"{name}, bf16", setup with { Precision = Precision.BF16 });
        }
        foreach (int n in new[] { 2, 20, 100 })
        {
            yield return new(nameof(Device.Attention), $"a NaN among {n} keys", b =>
            {
                AttentionTask task = new AttentionSetup([n], [n], Causal with { Causal = false }).Task(b);
                float[] keys = task.K.ToArray();
                keys[(n / 2 * 16) + 3] = float.NaN;
                b.Device.Attention(task with { K = b.Of(keys, n, 2, 8) });
            });
        }
        foreach (int page in new[] { 1, 3, 16, 64 })
        {
            foreach ((string name, int[] queries, int[] keys) in new (string, int[], int[])[]
            {
                ("decoding", [1, 1, 1, 1], [1, page, page + 1, 70]),
                ("a few at a time", [4, 2, 3], [4, page + 2, 65]),
                ("a prompt", [66, 5, 0], [66, 30, 7]),
            })
            {
                AttentionSetup setup = new(queries, keys, Causal, Heads: 4, KvHeads: 2, Page: page);
                yield return Attend(nameof(Device.Attention), $"pages of {page}, {name}", setup);
                yield return Attend(nameof(Device.Attention), $"pages of {page}, {name}, window", setup with { Options = Causal with { Window = 6, SoftCap = 3 }, Slopes = true });
                yield return Attend(nameof(Device.Attention), $"pages of {page}, {name}, bias by distance", setup with { Bias = true, ByDistance = true });
                yield return Attend(nameof(Device.Attention), $"pages of {page}, {name}, dropout", setup with { Options = Causal with { Dropout = 0.4f, DropoutKey = 8 } });
            }
        }
    }

    private static DeviceCase Attend(string operation, string variant, AttentionSetup setup) => new(operation, variant, b =>
    {
        AttentionTask task = setup.Task(b);
        if (operation == nameof(Device.Attention))
        {
            b.Device.Attention(task);
            return;
        }
        // The backward pass starts from the reference's forward pass, so that only itself is compared.
        Tensor y = b.Workspace.Empty(task.Y.Shape), lse = b.Workspace.Empty(task.LogSumExp.Shape);
        ReferenceDevice.Instance.Attention(task with { Y = y, LogSumExp = lse });
        Tensor dq = b.Output(task.Q.Shape.ToArray());
        Tensor dk = task.Fused is null ? b.Output(task.K.Shape.ToArray()) : dq, dv = task.Fused is null ? b.Output(task.V.Shape.ToArray()) : dq;
        b.Device.AttentionGradient(new AttentionGradientTask(task with { Y = y, LogSumExp = lse }, b.Normal(y.Shape.ToArray()), dq, dk, dv)
        {
            DBias = task.Bias is null ? null : b.Output(task.Bias.Shape.ToArray()),
        });
        task.Y.Clear();
        task.LogSumExp.Clear();
    }, setup.Precision == Precision.F32 ? 1e-5 : 1e-2);
}

/// <summary>What attention is asked to do.</summary>
internal sealed record AttentionSetup(
    int[] Queries, int[] Keys, AttentionOptions Options, int Heads = 2, int KvHeads = 2, int D = 8, int Dv = 8, bool Slopes = false, bool Bias = false, bool Masked = false, bool ByDistance = false, int Page = 0, Precision Precision = Precision.F32, int Groups = 0)
{
    public AttentionLayout Layout()
    {
        if (Page == 0)
            return new AttentionLayout(Starts(Queries), Starts(Keys));
        AttentionLayout layout = AttentionLayout.Paged(Page);
        int[] pages = [.. Keys.Select(PagesOf)];

        // Pages in no order, with one between that nobody owns.
        int total = pages.Sum();
        layout.SetPaged(Queries.Length, Starts(Queries), Keys, [.. Enumerable.Range(0, total).Select(i => total - i)], Starts(pages));
        return layout;
    }

    public AttentionTask Task(Bench b)
    {
        int queries = Queries.Sum(), keys = Keys.Sum(), pages = Keys.Sum(PagesOf) + 1;
        FusedHeads? fused = Groups == 0 ? null : new FusedHeads(Groups, Heads, KvHeads, D);
        Tensor q = fused is { } rows ? b.Normal(queries, rows.Columns) : b.Normal(queries, Heads, D);
        Tensor k = fused is not null ? q : Page == 0 ? b.Normal(keys, KvHeads, D) : b.Normal(pages, Page, KvHeads, D);
        Tensor v = fused is not null ? q : Page == 0 ? b.Normal(keys, KvHeads, Dv) : b.Normal(pages, Page, KvHeads, Dv);
        return new AttentionTask(q, k, v, b.Output(queries, Heads, Dv), b.Output(queries, Heads), Layout(), Options)
        {
            Precision = Precision,
            Fused = fused,
            Slopes = Slopes ? b.Of([.. Enumerable.Range(1, Heads).Select(h => 0.2f / h)], Heads) : null,
            Bias = Bias ? BiasOf(b) : null,
        };
    }

    private Tensor BiasOf(Bench b)
    {
        int queries = Queries.Max() + 1, keys = Keys.Max() + 2;
        if (ByDistance)
            return b.Normal(Heads, (2 * Math.Max(queries, keys)) - 1);
        float[] values = b.Normal(Heads, queries, keys).ToArray();
        for (int i = 0; Masked && i < values.Length; i++)
        {
            // The first 64 keys are hidden from the later queries, everything from the first query, and some here and there.
            int key = i % keys, query = i / keys % queries;
            if (query == 0 || (query > 65 && key < 64) || (key * 7) + query % 5 == 0)
                values[i] = float.NegativeInfinity;
        }
        return b.Of(values, Heads, queries, keys);
    }

    private int PagesOf(int keys) => Page == 0 ? 0 : (keys + Page - 1) / Page;

    private static int[] Starts(int[] lengths)
    {
        int[] starts = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            starts[i + 1] = starts[i] + lengths[i];
        return starts;
    }
}
