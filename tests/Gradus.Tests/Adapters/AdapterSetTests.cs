using Gradus.Adapters;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Adapters;

/// <summary>Several adapters beside each other on one model: every sequence has the bits that it has alone on a model with its adapter attached.</summary>
public sealed class AdapterSetTests : IDisposable
{
    private static readonly PeftConfig Lora = new LoraConfig(R: 4, LoraAlpha: 16, TargetModules: ModuleNames.AllLinear);
    private static readonly PeftConfig Dora = new LoraConfig(R: 3, LoraAlpha: 6, TargetModules: ModuleNames.AllLinear, UseDora: true);
    private static readonly PeftConfig Ia3 = new Ia3Config();
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Families => [.. TinyModels.Names.Where(n => TinyModels.Config(n) is not RnnLmConfig)];

    public static TheoryData<string> Kinds => [.. PeftConfig.PeftTypes];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Families))]
    public async Task EverySequenceHasTheBitsOfItsAdapterAlone(string family)
    {
        using GenerativeModel model = Make(family);
        GenerationRequest request = Request(model);
        string?[] names = [null, "lora", "dora", "ia3", "lora"];
        Dictionary<string, GenerationResult> alone = new()
        {
            [""] = RandomSchedule.Alone(model, request, new EngineOptions()),
            ["lora"] = Alone(family, Save("lora", family, Lora, 1), request),
            ["dora"] = Alone(family, Save("dora", family, Dora, 2), request),
            ["ia3"] = Alone(family, Save("ia3", family, Ia3, 3), request),
        };
        Assert.Equal(4, alone.Values.Select(r => string.Join(' ', r.LogProbabilities)).Distinct().Count());
        using AdapterSet adapters = new(model);
        foreach (string name in alone.Keys.Where(k => k.Length > 0))
            adapters.Load(name, _folder[name]);
        Assert.Equal(["dora", "ia3", "lora"], adapters.Names);
        using (GenerationEngine engine = new(model))
        {
            foreach (int round in (int[])[0, 1])
            {
                GenerationStream[] streams = [.. names.Select(n => engine.Submit(request with { Adapter = n }))];
                for (int i = 0; i < streams.Length; i++)
                    Assert.Null(RandomSchedule.Difference(alone[names[i] ?? ""], await streams[i].Completion));
            }
        }
        using Generator generator = new(model);
        IReadOnlyList<GeneratedSequence> together = generator.Run([.. names.Select(n => request with { Adapter = n })]);
        for (int i = 0; i < names.Length; i++)
            Assert.Equal(alone[names[i] ?? ""].LogProbabilities, together[i].LogProbabilities.ToArray());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AKindRunsBesideOthersOrIsRefusedByName(string kind)
    {
        PeftConfig config = AdapterContractTests.Method(kind);
        string folder = Save("it", "llama", config, 4);
        Save("lora", "llama", Lora, 5);
        using GenerativeModel model = Make("llama");
        GenerationRequest request = Request(model);
        GenerationResult before = RandomSchedule.Alone(model, request, new EngineOptions()), alone = Alone("llama", folder, request);
        using AdapterSet adapters = new(model);
        adapters.Load("lora", _folder["lora"]);
        if (config is PromptConfig or LnTuningConfig or TrainableTokensConfig)
        {
            InvalidDataException refused = Assert.Throws<InvalidDataException>(() => adapters.Load("it", folder));
            Assert.StartsWith($"{folder}{Path.DirectorySeparatorChar}", refused.Message, StringComparison.Ordinal);
            Assert.Contains("cannot run beside others", refused.Message, StringComparison.Ordinal);
            Assert.Equal(["lora"], adapters.Names);
        }
        else
        {
            adapters.Load("it", folder);
            using Generator generator = new(model);
            IReadOnlyList<GeneratedSequence> together = generator.Run([request with { Adapter = "it" }, request, request with { Adapter = "lora" }]);
            Assert.Equal(alone.LogProbabilities, together[0].LogProbabilities.ToArray());
            Assert.Equal(before.LogProbabilities, together[1].LogProbabilities.ToArray());
        }
        adapters.Dispose();
        Assert.All(model.Parts.Linears, l => Assert.Null(l.Adapter));
        Assert.Null(RandomSchedule.Difference(before, RandomSchedule.Alone(model, request, new EngineOptions())));
    }

    [Fact]
    public async Task AdaptersComeAndGoWhileTheModelIsInUse()
    {
        using GenerativeModel model = Make("llama");
        GenerationRequest request = Request(model);
        GenerationResult first = Alone("llama", Save("first", "llama", Lora, 1), request), second = Alone("llama", Save("second", "llama", Dora, 2), request);
        using AdapterSet adapters = new(model);
        using GenerationEngine engine = new(model);
        using ManualResetEventSlim waits = new();
        SequenceAdapter loaded = adapters.Load("a", _folder["first"]);
        GenerationStream running = engine.Submit(request with { Adapter = "a", Constraint = () => new Waiting(waits) });
        Assert.True(adapters.Unload("a"));
        Assert.False(adapters.Unload("a"));
        Assert.False(loaded.IsFreed);
        string unknown = Assert.Throws<ArgumentException>(() => engine.Submit(request with { Adapter = "a" })).Message;
        Assert.Contains("\"a\"", unknown, StringComparison.Ordinal);
        // Another one of the same name: what was read with the first is not its prefix.
        adapters.Load("a", _folder["second"]);
        GenerationStream other = engine.Submit(request with { Adapter = "a" });
        waits.Set();
        Assert.Equal(first.LogProbabilities, (await running.Completion).LogProbabilities);
        Assert.Null(RandomSchedule.Difference(second, await other.Completion));
        Assert.True(loaded.IsFreed);
        // Read again, a prompt begins with the pages of its own adapter.
        GenerationResult again = await engine.Submit(request with { Adapter = "a" }).Completion;
        Assert.Null(RandomSchedule.Difference(second, again));
        Assert.Equal(KvCache.PageSize, again.CachedTokens);
        Assert.Equal(0, (await engine.Submit(request with { PromptLogProbabilitiesFrom = null }).Completion).CachedTokens);
        Assert.Throws<ArgumentException>(() => adapters.Load("a", _folder["first"]));
    }

    [Fact]
    public void APassABeamSearchAndContinuationsNameAdaptersToo()
    {
        using GenerativeModel model = Make("llama"), other = Make("llama");
        using ModelAdapter attached = PeftFolder.Load(Save("lora", "llama", Lora, 1), other);
        int[] prompt = TinyModels.Prompt(20, 3);
        using AdapterSet adapters = new(model);
        SequenceAdapter lora = adapters.Load("lora", _folder["lora"]);
        using Workspace workspace = model.Parts.Store.NewScratch();
        Pass pass = new(TokenBatch.Of([prompt, prompt]), workspace) { Adapters = [null, lora] };
        float[] both = model.Logits(pass).ToArray();
        Assert.Equal([.. Logits(model, prompt), .. Logits(other, prompt)], both);
        Pass wrong = new(TokenBatch.Of([prompt, prompt]), workspace) { Adapters = [lora] };
        Assert.Throws<ArgumentException>(() => model.Logits(wrong));
        BeamSearchRequest beams = new(prompt) { MaxNewTokens = 6, Beams = 3 };
        using BeamSearch search = new(model), searchAlone = new(other);
        Hypothesis named = search.Run(beams with { Adapter = "lora" })[0], expected = searchAlone.Run(beams)[0];
        Assert.Equal(expected.Generated, named.Generated);
        Assert.Equal(expected.Score, named.Score);
        Assert.Throws<ArgumentException>(() => search.Run(beams with { Adapter = "none" }));
    }

    [Fact]
    public async Task ContinuationsAreScoredWithAnAdapter()
    {
        using GenerativeModel model = Make("llama"), other = Make("llama");
        using ModelAdapter attached = PeftFolder.Load(Save("lora", "llama", Lora, 1), other);
        using AdapterSet adapters = new(model);
        adapters.Load("lora", _folder["lora"]);
        using GenerationEngine engine = new(model), engineAlone = new(other);
        int[] context = TinyModels.Prompt(20, 3);
        int[][] continuations = [TinyModels.Prompt(5, 1), TinyModels.Prompt(7, 2)];
        IReadOnlyList<ContinuationScore> named = await engine.Score(context, continuations, adapter: "lora"), expected = await engineAlone.Score(context, continuations);
        Assert.Equal(expected.Select(s => s.Sum), named.Select(s => s.Sum));
    }

    [Fact]
    public void ModelsThatCannotAreRefused()
    {
        using GenerativeModel recurrent = Make("lstm"), attached = Make("llama");
        Assert.Throws<NotSupportedException>(() => new AdapterSet(recurrent));
        using ModelAdapter adapter = ModelAdapter.Attach(attached, Lora, 1);
        Assert.Throws<InvalidOperationException>(() => new AdapterSet(attached));
        adapter.Detach();
        using AdapterSet adapters = new(attached);
        adapters.Add("it", Lora, 1);
        Assert.Throws<InvalidOperationException>(() => ModelAdapter.Attach(attached, Lora, 1));
        using Workspace workspace = attached.Parts.Store.NewScratch();
        Pass pass = new(new TokenBatch([1, 2, 3]), workspace) { Adapters = [adapters.Find("it")] };
        workspace.StartTape();
        attached.SetTrainable(true);
        Assert.Throws<InvalidOperationException>(() => attached.Logits(pass));
    }

    private static GenerativeModel Make(string family) => TinyModels.Make(family, TinyModels.Cpu(2));

    // More than a page, so that there is a prefix to share.
    private static GenerationRequest Request(GenerativeModel model) =>
        TinyModels.Request(model, TinyModels.Prompt((2 * KvCache.PageSize) - 4, 1)) with { MaxNewTokens = 8, LogProbabilities = true };

    private static float[] Logits(GenerativeModel model, int[] prompt)
    {
        using Workspace workspace = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(new TokenBatch(prompt), workspace)).ToArray();
    }

    private static GenerationResult Alone(string family, string folder, GenerationRequest request)
    {
        using GenerativeModel model = Make(family);
        using ModelAdapter adapter = PeftFolder.Load(folder, model);
        return RandomSchedule.Alone(model, request, new EngineOptions());
    }

    // An adapter that changes something, as training would have left it.
    private string Save(string name, string family, PeftConfig config, ulong seed)
    {
        using GenerativeModel model = Make(family);
        using ModelAdapter adapter = ModelAdapter.Attach(model, config, seed);
        foreach (Parameter parameter in adapter.Parameters)
        {
            Span<float> values = parameter.Value.Span();
            ulong key = CounterRandom.Derive(seed, parameter.Name);
            for (int i = 0; i < values.Length; i++)
                values[i] += 0.3f * ((float)CounterRandom.Uniform(key, i) - 0.5f);
            parameter.MarkChanged();
        }
        PeftFolder.Save(_folder[name], adapter);
        return _folder[name];
    }

    private sealed class Waiting(ManualResetEventSlim waits) : TokenConstraint
    {
        public override void Mask(Span<float> logits) => waits.Wait();

        public override void Accept(int token)
        {
        }
    }
}
