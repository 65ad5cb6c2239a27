using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Files.Quantized;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors.Cpu;
using Gradus.Training.Compression;
using Gradus.Training.Data.Tokens;

namespace Gradus.Cli.Verbs;

/// <summary>What is quantized, how, and where to.</summary>
/// <param name="From">The model, as it was named.</param>
/// <param name="To">The file or folder.</param>
/// <param name="Target">The type, as it was named.</param>
/// <param name="Options">How values are chosen.</param>
/// <param name="Storage">The types of a GGUF file's tensors; null for a folder.</param>
internal sealed record QuantizeSettings(string From, string To, string Target, QuantizationOptions Options, GgufStorage? Storage)
{
    /// <summary>Bits of an integer, in a folder.</summary>
    public int Bits { get; init; } = 4;

    /// <summary>Inputs that share a scale, in a folder.</summary>
    public int GroupSize { get; init; } = 128;

    /// <summary>Whether integers have their zero in the middle.</summary>
    public bool Symmetric { get; init; }

    /// <summary>Bits per weight to mix formats within, or null.</summary>
    public double? BitsPerWeight { get; init; }

    /// <summary>An importance matrix, or null.</summary>
    public string? ImportanceFile { get; init; }

    /// <summary>Where the report goes, without its ending.</summary>
    public string Report { get; init; } = "";

    /// <summary>Pieces of text to measure activations on.</summary>
    public int Samples { get; init; } = 128;

    /// <summary>Tokens of such a piece.</summary>
    public int SampleTokens { get; init; } = 512;

    /// <summary>Whether nothing is said of single layers.</summary>
    public bool Quiet { get; init; }
}

/// <summary>Quantizes one model, writes it, and measures what that has cost on the file as it is read again.</summary>
internal sealed class QuantizeRun(CommandContext context, ConvertSource source, QuantizeSettings settings)
{
    /// <summary>Runs.</summary>
    /// <param name="tokens">Text to measure activations on, or null.</param>
    /// <param name="test">Text to measure the loss on, or null.</param>
    /// <returns>The report, which is written too.</returns>
    public CompressionReport Run(TokenSequence? tokens, int[]? test)
    {
        ModelConfig config = source.Known ?? throw new UsageException($"{source.Architecture}: this architecture is converted but not run; use gradus convert --dtype.");
        if (settings.Options.NeedsText && tokens is null && settings.ImportanceFile is null)
            throw new UsageException($"--method {settings.Options.Method.ToString().ToLowerInvariant()} measures activations; give text with --data{(settings.Options.Method == QuantizationMethod.Imatrix ? " or a matrix with --imatrix" : "")}.");
        QuantizedLayers quantized;
        using (LanguageModel model = QuantizeVerb.Load(source))
        {
            CalibrationText? text = tokens is null ? null : CalibrationText.Of(tokens, model, settings.Samples, settings.SampleTokens);
            quantized = settings.Storage is { } storage ? ToGguf(model, storage, text) : ToFolder(model, text);
        }
        return Measure(quantized, config, test);
    }

    private QuantizedLayers ToGguf(LanguageModel model, GgufStorage storage, CalibrationText? text)
    {
        GgufQuantization target = Make(storage);
        Func<Linear, float[]?>? importance = null;
        if (settings.ImportanceFile is { } path)
        {
            ImportanceMatrix matrix = ImportanceMatrixFile.Read(path);
            importance = l => matrix.For(l, target.Targets);
        }
        if (settings.BitsPerWeight is { } bits)
        {
            InputMoments? moments = importance is null && text is not null ? InputMoments.Of(model, text, context.Cancellation) : null;
            target = Make(target.WithinBudget(bits, importance ?? (l => moments?.Layers.TryGetValue(l, out ColumnMoments? seen) == true && seen.Rows > 0 ? seen.MeanSquares : null)));
        }
        QuantizedLayers quantized = new ModelQuantizer(model, l => target.GridOf(l, settings.Options.Method), settings.Options) { Progress = Say, Cancellation = context.Cancellation, Importance = importance }.Run(text);
        target.Write(settings.To, quantized, context.Cancellation);
        return quantized;

        GgufQuantization Make(GgufStorage types) => new(model, source.Config, source.Tokenizer, types, source.GenerationConfig);
    }

    private QuantizedLayers ToFolder(LanguageModel model, CalibrationText? text)
    {
        bool awq = settings.Target == QuantizeVerb.AwqTarget;
        IntegerRule rule = awq || settings.Options.Method == QuantizationMethod.Awq ? IntegerRule.MinMax : settings.Symmetric ? IntegerRule.Symmetric : IntegerRule.Asymmetric;
        Linear? head = (model as GenerativeModel)?.Head;
        // Routers and gates of experts stay as they are.
        WeightGrid? Grid(Linear l) => l == head || l.Name is "gate" or "shared_expert_gate" || !IsInBlock(l) || !IntegerCheckpoint.Takes(l, settings.Bits, settings.GroupSize)
            ? null
            : new IntegerGrid(l.Weight.Outputs, l.Weight.Inputs, settings.Bits, settings.GroupSize, rule, halfScales: true);
        if (model.Parts.Linears.All(l => Grid(l) is null))
            throw new UsageException($"{settings.From}: no layer fits {settings.Bits} bits in groups of {settings.GroupSize}: rows must be whole groups and words, stored (out, in); take another --group-size, or a GGUF target.");
        QuantizedLayers quantized = new ModelQuantizer(model, Grid, settings.Options) { Progress = Say, Cancellation = context.Cancellation }.Run(text);
        using AtomicFolder folder = AtomicFolder.Begin(settings.To);
        IntegerCheckpoint.Write(
            folder, model, quantized.Grids.ToDictionary(g => g.Key, g => Matrix((IntegerGrid)g.Value), StringComparer.Ordinal), awq, settings.Symmetric);
        source.Tokenizer?.Save(folder.TemporaryPath);
        if (source.GenerationConfig is { } generation)
            Checkpoint.WriteObject(folder, ConvertSource.GenerationConfigFile, generation);
        folder.Commit();
        return quantized;
    }

    private static bool IsInBlock(Linear layer) => layer.Path.Split('.').Any(p => p.Length > 0 && p.All(char.IsAsciiDigit));

    private static IntegerMatrix Matrix(IntegerGrid grid) => new(grid.Rows, grid.Columns, grid.Bits, grid.GroupSize, grid.Codes, grid.Scales, grid.Zeros);

    private void Say(LayerLoss loss)
    {
        if (!settings.Quiet && context.ErrorIsTerminal)
            context.Note($"{loss.Layer}: error {loss.Error:0.00e0}{(loss.Note is null ? "" : $" ({loss.Note})")}");
    }

    private CompressionReport Measure(QuantizedLayers quantized, ModelConfig config, int[]? test)
    {
        long before = source.Tensors.Entries.Sum(e => e.ByteLength), after = SizeOf(settings.To);
        CompressionLoss? loss = null;
        if (test is not null && Architectures.WritesText(config))
        {
            using GenerativeModel original = (GenerativeModel)QuantizeVerb.Load(source), compressed = (GenerativeModel)Checkpoint.Load(settings.To, CpuDevice.Default, keepStoredType: true, keepPacked: true);
            loss = CompressionLoss.Measure(original, compressed, test, cancellation: context.Cancellation);
        }
        CompressionReport report = new(
            $"{Path.GetFileName(settings.From.TrimEnd('/'))} in {settings.Target} by {settings.Options.Method.ToString().ToLowerInvariant()}",
            settings.From, settings.To, before, after, loss, quantized.Layers, quantized.Scales);
        report.Write(settings.Report);
        return report;
    }

    private static long SizeOf(string path) => File.Exists(path)
        ? new FileInfo(path).Length
        : new DirectoryInfo(path).EnumerateFiles("*.safetensors").Sum(f => f.Length);
}
