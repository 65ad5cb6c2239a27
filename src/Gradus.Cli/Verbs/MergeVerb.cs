using System.CommandLine;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Files;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus merge</c>: an adapter into its base model, or several models or adapters into one.</summary>
internal static class MergeVerb
{
    private static readonly Dictionary<string, MergeMethod> Methods = new(StringComparer.Ordinal)
    {
        ["linear"] = MergeMethod.Linear,
        ["slerp"] = MergeMethod.Slerp,
        ["task-arithmetic"] = MergeMethod.TaskArithmetic,
        ["magnitude-prune"] = MergeMethod.MagnitudePrune,
        ["ties"] = MergeMethod.Ties,
        ["dare-linear"] = MergeMethod.DareLinear,
        ["dare-ties"] = MergeMethod.DareTies,
        ["cat"] = MergeMethod.Cat,
        ["svd"] = MergeMethod.Svd,
    };

    private static readonly Argument<string[]> From = new("FROM")
    {
        Description = "An adapter's folder or a run's, which is merged into its base model; or several models, or several LoRA adapters of one base model.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> To = new("--to", "-o") { Description = "The folder to write.", HelpName = "FOLDER", Required = true };

    private static readonly Option<string?> Method = new("--method")
    {
        Description = "How several become one: linear and slerp average models or adapters, cat and svd add up adapters, the others add up changes (of models, from --base).",
        HelpName = string.Join('|', Methods.Keys),
    };

    private static readonly Option<string?> Weights = new("--weights") { Description = "A weight for each, separated by commas; equal ones without it.", HelpName = "W,W" };

    private static readonly Option<double> Density = new("--density")
    {
        Description = "The share of changes that stays: magnitude-prune, ties, dare-linear, dare-ties.",
        DefaultValueFactory = _ => 0.5,
        HelpName = "SHARE",
    };

    private static readonly Option<string> Sign = new("--sign")
    {
        Description = "Which sign ties takes for that of the majority: of the sum, or of more models.",
        DefaultValueFactory = _ => "total",
        HelpName = "total|frequency",
    };

    private static readonly Option<int> Rank = Numeric.Option("--rank", "The rank of an adapter that svd makes; 0 for the largest of those merged.", 0, 65536, 0);

    private static readonly Option<int> Seed = Numeric.Option("--seed", "Chooses what dare-linear and dare-ties drop.", 0, int.MaxValue, 0);

    private static readonly Option<string?> Base = new("--base")
    {
        Description = "The model that the models have changed from; or the base model of an adapter, where that moved.",
        HelpName = "MODEL",
    };

    private static readonly Option<string> Type = new("--dtype") { Description = "Type of the stored weights.", DefaultValueFactory = _ => "f32", HelpName = "f32|bf16|f16" };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Method.AcceptOnlyFromAmong([.. Methods.Keys]);
        Sign.AcceptOnlyFromAmong("total", "frequency");
        Type.AcceptOnlyFromAmong("f32", "bf16", "f16");
        Verb verb = new("merge", "Merge an adapter into its base model, or several models or adapters into one.")
        {
            From, To, Method, Weights, Density, Sign, Rank, Seed, Base, Type,
        };
        verb.Examples =
        [
            ("merge runs/lora --to merged", "writes an adapter's base model with the adapter in its weights"),
            ("merge a b --method linear --weights 0.7,0.3 --to both", "averages two models, or two adapters"),
            ("merge a b c --method ties --density 0.2 --base start --to all", "adds up what three models have learned since a common start"),
            ("merge lora-a lora-b --method cat --to lora-ab", "adds up two adapters exactly, with the sum of their ranks"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string[] from = parse.GetRequiredValue(From);
        string to = parse.GetRequiredValue(To);
        if (from.FirstOrDefault(f => Path.Exists(f) && Path.GetFullPath(f) == Path.GetFullPath(to)) is not null)
            throw new UsageException($"{to}: is what is to be merged; write to another folder.");
        string? baseModel = parse.GetValue(Base);
        ModelLocation[] found = [.. from.Select((f, i) => ModelFolder.Find(f, from.Length == 1 ? baseModel : null, context.Cancellation))];
        int adapters = found.Count(l => l.Adapter is not null);
        if (from.Length == 1)
            return MergeOne(context, parse, from[0], found[0], to);
        if (adapters != 0 && adapters != from.Length)
            throw new UsageException("merge: some are models and some adapters; merge each adapter into its model first.");
        string method = parse.GetValue(Method) ?? throw new UsageException($"merge: --method is missing; it is one of {string.Join(", ", Methods.Keys)}.");
        MergeOptions options = new(
            Methods[method], ReadWeights(parse.GetValue(Weights), from.Length), DensityOf(method, parse.GetValue(Density)),
            parse.GetRequiredValue(Sign) == "total" ? MajoritySign.Total : MajoritySign.Frequency, (ulong)parse.GetValue(Seed), parse.GetValue(Rank) is > 0 and var rank ? rank : null);
        if (adapters > 0)
            MergeAdapters(found, options, baseModel, to);
        else
            MergeModels(context, parse, from, options, baseModel, to);
        new Facts(context).Add("written to", to);
        return ExitCode.Done;
    }

    private static int MergeOne(CommandContext context, ParseResult parse, string from, ModelLocation location, string to)
    {
        if (location.Adapter is null)
            throw new UsageException($"{from}: is one model, and no adapter; give an adapter, or at least two models.");
        if (parse.GetValue(Method) is not null)
            throw new UsageException("--method: says how several are merged; an adapter is merged into its base model without it.");
        using ConvertSource source = ConvertSource.OpenMerged(location);
        ConvertVerb.WriteFolder(context, source, to, parse.GetRequiredValue(Type), long.MaxValue);
        new Facts(context).Add("written to", to);
        return ExitCode.Done;
    }

    private static void MergeAdapters(ModelLocation[] adapters, MergeOptions options, string? baseModel, string to)
    {
        if (baseModel is not null)
            throw new UsageException("--base: adapters are merged without their base model; leave it out.");
        using AtomicFolder folder = AtomicFolder.Begin(to);
        LoraMerging.Write(folder, [.. adapters.Select(a => a.Adapter!)], options);
        adapters[0].TryOpenTokenizer()?.Save(folder.TemporaryPath);
        folder.Commit();
    }

    private static void MergeModels(CommandContext context, ParseResult parse, string[] from, MergeOptions options, string? baseModel, string to)
    {
        List<ConvertSource> sources = [];
        try
        {
            foreach (string path in from.Concat(baseModel is null ? [] : [baseModel]))
                sources.Add(ConvertSource.Open(path, null, null, context.Cancellation));
            ConvertSource first = sources[0];
            if (sources.Skip(1).FirstOrDefault(s => s.Architecture != first.Architecture) is { } other)
                throw new UsageException($"{from[sources.IndexOf(other) is var i && i < from.Length ? i : 0]}: is a {other.Architecture}, {from[0]} a {first.Architecture}; only models of one architecture can be merged.");
            TensorFile[] files = [.. sources.Select(s => s.Tensors)];
            using MergedModels merged = MergedModels.Open(to, files[..from.Length], baseModel is null ? null : files[^1], options);
            using ConvertSource result = new(first.Config, merged, first.Tokenizer, first.GenerationConfig, first.Pooling);
            ConvertVerb.WriteFolder(context, result, to, parse.GetRequiredValue(Type), long.MaxValue);
        }
        finally
        {
            sources.ForEach(s => s.Dispose());
        }
    }

    private static float[] ReadWeights(string? text, int count)
    {
        if (text is null)
            return [.. Enumerable.Repeat(1f / count, count)];
        float[] weights = [.. text.Split(',').Select(w => float.TryParse(w, out float weight) ? weight : throw new UsageException($"--weights: '{w}' is no number; write one for each, separated by commas."))];
        return weights.Length == count ? weights : throw new UsageException($"--weights: there are {count} to merge, but {weights.Length} weights; write one for each.");
    }

    private static double DensityOf(string method, double density) => method is "magnitude-prune" or "ties" or "dare-linear" or "dare-ties" ? density : 1;
}
