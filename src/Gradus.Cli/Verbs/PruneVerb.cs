using System.CommandLine;
using System.Globalization;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Compression;
using Gradus.Training.Compression.Pruning;
using Gradus.Training.Data.Tokens;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus prune</c>: a model with zeros, or a smaller one, and what that costs.</summary>
internal static class PruneVerb
{
    private static readonly Dictionary<string, PruningMethod> Methods = Enum.GetValues<PruningMethod>().ToDictionary(m => m.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    private static readonly Argument<string> Model = new("MODEL") { Description = "A model's folder, a run's, an adapter's (which is merged), a GGUF file, or a model's name on the hub." };

    private static readonly Argument<string> To = new("OUT") { Description = "The folder to write, in the Hugging Face layout." };

    private static readonly Option<string> Method = new("--method")
    {
        Description = "How weights that become zero are chosen: the smallest; the smallest products with activations; or those that the others make up for best.",
        DefaultValueFactory = _ => "wanda",
        HelpName = string.Join('|', Methods.Keys),
    };

    private static readonly Option<double?> Ratio = Numeric.Optional("--sparsity", "The share of weights that becomes zero.", 0.01, 0.99);

    private static readonly Option<string?> Pattern = new("--pattern") { Description = "Zeros of every few neighbouring inputs: 2:4, 4:8.", HelpName = "N:M" };

    private static readonly Option<int?> FeedForward = Numeric.Optional("--keep-ffn", "Units of every feed-forward layer that stay; the others are taken out, and the model becomes smaller.", 1, 1 << 22);

    private static readonly Option<int?> Heads = Numeric.Optional("--keep-heads", "Key/value heads of every layer that stay, with their query heads; the others are taken out.", 1, 1 << 15);

    private static readonly Option<int?> Layers = Numeric.Optional("--keep-layers", "Layers that stay; those that change their input least are taken out.", 1, 1 << 15);

    private static readonly Option<string> Type = new("--dtype") { Description = "Type of the stored weights.", DefaultValueFactory = _ => "f32", HelpName = "f32|bf16|f16" };

    private static readonly Option<string?> Report = new("--report") { Description = "Where the loss is reported: NAME.html and NAME.json; beside OUT without it.", HelpName = "NAME" };

    private static readonly Option<string?> TokenizerPath = new("--tokenizer") { Description = "The tokenizer, where it does not lie beside the model.", HelpName = "PATH" };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    private static readonly Option<bool> Json = new("--json") { Description = "Print the report as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Method.AcceptOnlyFromAmong([.. Methods.Keys]);
        Type.AcceptOnlyFromAmong("f32", "bf16", "f16");
        Verb verb = new("prune", "Make weights of a model zero, or take heads, feed-forward units or layers out of it, and report what that costs.")
        {
            Model, To, Method, Ratio, Pattern, FeedForward, Heads, Layers, CompressionText.Data, CompressionText.Test, CompressionText.Samples, CompressionText.SampleTokens,
            CompressionText.TestTokens, CompressionText.Fetch, Type, Report, TokenizerPath, Base, Json,
        };
        verb.Examples =
        [
            ("prune my-model sparse --method sparsegpt --sparsity 0.5 --data text.txt", "half of the weights become zero, the others make up for them"),
            ("prune my-model sparse --method wanda --pattern 2:4 --data text.txt", "two of every four neighbours become zero"),
            ("prune my-model small --keep-layers 6 --keep-ffn 256 --data text.txt", "a smaller model, to be taught by the large one: gradus distill"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string from = parse.GetRequiredValue(Model), to = parse.GetRequiredValue(To);
        if (Path.Exists(from) && Path.GetFullPath(from) == Path.GetFullPath(to))
            throw new UsageException($"{to}: is the model that is to be pruned; write to another folder.");
        StructuredPlan plan = new(parse.GetValue(FeedForward), parse.GetValue(Heads), parse.GetValue(Layers));
        bool isStructured = plan != new StructuredPlan();
        Sparsity? sparsity = SparsityOf(parse);
        if (isStructured == sparsity is not null)
            throw new UsageException("prune: give --sparsity or --pattern for zeros, or --keep-ffn, --keep-heads or --keep-layers for a smaller model; not both.");
        if (isStructured && parse.GetResult(Method) is { Implicit: false })
            throw new UsageException("--method chooses zeros; leave it out where heads, units or layers are taken out.");
        using ConvertSource source = ConvertSource.Open(from, parse.GetValue(TokenizerPath), parse.GetValue(Base), context.Cancellation);
        using LanguageModel model = QuantizeVerb.Load(source);
        (TokenSequence? tokens, int[]? test) = CompressionText.Read(context, parse, source.Tokenizer);
        PruningMethod method = Methods[parse.GetRequiredValue(Method)];
        if (tokens is null && (isStructured || method != PruningMethod.Magnitude))
            throw new UsageException("prune: activations are measured; give text with --data, or take --method magnitude.");
        CalibrationText? text = tokens is null ? null : CalibrationText.Of(tokens, model, parse.GetValue(CompressionText.Samples), parse.GetValue(CompressionText.SampleTokens));
        IReadOnlyList<LayerLoss> layers = [];
        string title;
        if (isStructured)
        {
            if (model is not DecoderModel decoder)
                throw new UsageException($"{from}: only decoders are made smaller; {source.Architecture} is none.");
            PrunedModel pruned = new StructuredPruning(decoder, text!).Prune(plan);
            using LanguageModel smaller = pruned.Model;
            Write(context, source, smaller, to, parse);
            title = $"{pruned.Model.ParameterCount:N0} of {model.ParameterCount:N0} parameters{(pruned.DroppedLayers.Count > 0 ? $", without layers {string.Join(", ", pruned.DroppedLayers)}" : "")}";
        }
        else
        {
            bool quiet = parse.GetValue(Json) || !context.ErrorIsTerminal;
            layers = new ModelPruner(model, method, sparsity!)
            {
                Cancellation = context.Cancellation,
                Progress = loss => _ = quiet ? 0 : Note(context, loss),
            }.Run(text);
            Write(context, source, model, to, parse);
            title = string.Create(CultureInfo.InvariantCulture, $"{(sparsity!.HasPattern ? $"{sparsity.Zeros}:{sparsity.Of}" : $"{100 * sparsity.Ratio:0.#} %")} zeros by {method.ToString().ToLowerInvariant()}");
        }
        Tell(context, parse, source, title, layers, test);
        return ExitCode.Done;
    }

    private static int Note(CommandContext context, LayerLoss loss)
    {
        context.Note($"{loss.Layer}: error {loss.Error:0.00e0}{(loss.Note is null ? "" : $" ({loss.Note})")}");
        return 0;
    }

    private static Sparsity? SparsityOf(ParseResult parse)
    {
        double? ratio = parse.GetValue(Ratio);
        if (parse.GetValue(Pattern) is not { } pattern)
            return ratio is { } share ? new Sparsity(share) : null;
        if (ratio is not null)
            throw new UsageException("prune: --pattern says how many weights become zero; leave --sparsity out.");
        try
        {
            return Sparsity.Parse(pattern);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--pattern {e.Message}");
        }
    }

    private static void Write(CommandContext context, ConvertSource source, LanguageModel model, string to, ParseResult parse)
    {
        using AtomicFolder folder = AtomicFolder.Begin(to);
        Checkpoint.Write(folder, model, Enum.Parse<DType>(parse.GetRequiredValue(Type), ignoreCase: true));
        source.Tokenizer?.Save(folder.TemporaryPath);
        if (source.GenerationConfig is { } generation)
            Checkpoint.WriteObject(folder, ConvertSource.GenerationConfigFile, generation);
        context.Cancellation.ThrowIfCancellationRequested();
        folder.Commit();
    }

    private static void Tell(CommandContext context, ParseResult parse, ConvertSource source, string title, IReadOnlyList<LayerLoss> layers, int[]? test)
    {
        string from = parse.GetRequiredValue(Model), to = parse.GetRequiredValue(To), name = parse.GetValue(Report) ?? to.TrimEnd('/', '\\') + ".loss";
        CompressionLoss? loss = null;
        if (test is not null && source.Known is { } config && Architectures.WritesText(config))
        {
            using GenerativeModel original = (GenerativeModel)QuantizeVerb.Load(source), pruned = (GenerativeModel)Checkpoint.Load(to, CpuDevice.Default);
            loss = CompressionLoss.Measure(original, pruned, test, cancellation: context.Cancellation);
        }
        CompressionReport report = new(
            $"{Path.GetFileName(from.TrimEnd('/'))}: {title}", from, to, source.Tensors.Entries.Sum(e => e.ByteLength),
            new DirectoryInfo(to).EnumerateFiles("*.safetensors").Sum(f => f.Length), loss, layers, []);
        report.Write(name);
        if (parse.GetValue(Json))
            context.WriteJson(report.ToJson());
        else
            report.Print(new Facts(context), name);
    }
}
