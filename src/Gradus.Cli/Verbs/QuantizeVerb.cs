using System.CommandLine;
using System.Text.RegularExpressions;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Training.Compression;
using Gradus.Training.Data.Tokens;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus quantize</c>: a model in fewer bits, and what that costs.</summary>
internal static class QuantizeVerb
{
    /// <summary>Targets that are folders of safetensors.</summary>
    internal const string GptqTarget = "gptq", AwqTarget = "awq";

    /// <summary>The methods by their names.</summary>
    internal static readonly Dictionary<string, QuantizationMethod> Methods = Enum.GetValues<QuantizationMethod>().ToDictionary(m => m.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    private static readonly Argument<string> Model = new("MODEL") { Description = "A model's folder, a run's, an adapter's (which is merged), a GGUF file, or a model's name on the hub." };

    private static readonly Argument<string> To = new("OUT") { Description = "The file to write (.gguf), or the folder for the targets gptq and awq." };

    private static readonly Option<string> Method = new("--method")
    {
        Description = "How values are chosen: rtn to nearest; imatrix by the mean squares of activations; gptq column by column, later ones making up for earlier ones; awq scaled and clipped by activations; hqq without data; smoothquant with outliers moved into the weights.",
        DefaultValueFactory = _ => "rtn",
        HelpName = string.Join('|', Methods.Keys),
    };

    private static readonly Option<string> Target = new("--target")
    {
        Description = "Type of the stored weights: of a GGUF file, or gptq or awq for a folder of integers that transformers and vLLM load.",
        DefaultValueFactory = _ => "q4_0",
        HelpName = string.Join('|', GgufStorage.Names.Append(GptqTarget).Append(AwqTarget)),
    };

    private static readonly Option<string?> Imatrix = new("--imatrix") { Description = "An importance matrix of gradus or llama.cpp, instead of text.", HelpName = "FILE" };

    private static readonly Option<double?> Budget = Numeric.Optional("--target-bpw", "Bits per weight: formats are mixed so that the error is small within them (GGUF).", 1.0, 16.0);

    private static readonly Option<string[]> Types = new("--tensor-type")
    {
        Description = "Another type for the tensors whose name in GGUF a regular expression finds; may be given several times.",
        HelpName = "REGEX=TYPE",
    };

    private static readonly Option<int> Bits = Numeric.Option("--bits", "Bits of an integer, for the target gptq (awq has 4).", 2, 8, 4);

    private static readonly Option<int> GroupSize = Numeric.Option("--group-size", "Inputs that share a scale, for the targets gptq and awq; -1 for all.", -1, 1 << 16, 128);

    private static readonly Option<bool> Symmetric = new("--symmetric") { Description = "Zero in the middle of the integers, for the target gptq." };

    private static readonly Option<bool> ActOrder = new("--act-order") { Description = "gptq: columns with large activations first, with the scales of the weights as they were." };

    private static readonly Option<bool> TrueSequential = new("--true-sequential") { Description = "gptq: the layers of a block one after the other, each with the inputs that the quantized ones before it give." };

    private static readonly Option<double> Damping = Numeric.Option("--damping", "gptq: added to the Hessian's diagonal, in parts of its mean.", 1e-6, 10.0, 0.01);

    private static readonly Option<bool> NoClip = new("--no-clip") { Description = "awq: do not clip weights." };

    private static readonly Option<double> Alpha = Numeric.Option("--alpha", "smoothquant: how much of the outliers is moved, from 0 to 1.", 0.0, 1.0, 0.5);

    private static readonly Option<string?> Report = new("--report") { Description = "Where the loss is reported: NAME.html and NAME.json; beside OUT without it.", HelpName = "NAME" };

    private static readonly Option<string?> TokenizerPath = new("--tokenizer") { Description = "The tokenizer, where it does not lie beside the model.", HelpName = "PATH" };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    private static readonly Option<bool> Json = new("--json") { Description = "Print the report as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Method.AcceptOnlyFromAmong([.. Methods.Keys]);
        Target.AcceptOnlyFromAmong([.. GgufStorage.Names, GptqTarget, AwqTarget]);
        Verb verb = new("quantize", "Write a model in fewer bits, and report what that costs.")
        {
            Model, To, Method, Target, CompressionText.Data, CompressionText.Test, Imatrix, Budget, Types, Bits, GroupSize, Symmetric, ActOrder, TrueSequential,
            Damping, NoClip, Alpha, CompressionText.Samples, CompressionText.SampleTokens, CompressionText.TestTokens, CompressionText.Fetch, Report, TokenizerPath, Base, Json,
        };
        verb.Examples =
        [
            ("quantize my-model my-model.gguf --method imatrix --target q4_0 --data text.txt", "4.5 bits per weight, scales chosen by the activations of a text, and a report of the loss"),
            ("quantize my-model my-model.gguf --method gptq --target q4_k --data text.txt", "GPTQ in the blocks of a GGUF file"),
            ("quantize my-model my-gptq --method gptq --target gptq --group-size 64 --data text.txt", "a folder that transformers and vLLM load"),
            ("quantize my-model my-model.gguf --target-bpw 4.5 --data text.txt", "formats mixed within 4.5 bits per weight"),
            ("quantize my-model my-model.gguf --target q4_k --tensor-type ffn_down=q6_k", "six bits for some tensors"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    /// <summary>The model of a source in F32, to be changed.</summary>
    /// <exception cref="UsageException">The architecture is converted only, not run.</exception>
    internal static LanguageModel Load(ConvertSource source) => Checkpoint.Load(
        source.Known ?? throw new UsageException($"{source.Architecture}: this architecture is converted but not run, so that its activations cannot be measured; use gradus convert --dtype."),
        source.Tensors,
        CpuDevice.Default);

    private static int Run(CommandContext context, ParseResult parse)
    {
        string from = parse.GetRequiredValue(Model), to = parse.GetRequiredValue(To), target = parse.GetRequiredValue(Target);
        bool isFolder = target is GptqTarget or AwqTarget;
        if (Path.Exists(from) && Path.GetFullPath(from) == Path.GetFullPath(to))
            throw new UsageException($"{to}: is the model that is to be quantized; write to another place.");
        if (isFolder == to.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            throw new UsageException(isFolder ? $"{to}: --target {target} writes a folder; give a name without .gguf." : $"{to}: --target {target} writes a GGUF file; give a name that ends with .gguf.");
        Check(parse, isFolder);
        QuantizeSettings settings = new(
            from, to, target,
            new QuantizationOptions(
                Methods[parse.GetRequiredValue(Method)],
                new GptqOptions(parse.GetValue(Damping), parse.GetValue(ActOrder), parse.GetValue(TrueSequential)),
                new AwqOptions(Clip: !parse.GetValue(NoClip)),
                (float)parse.GetValue(Alpha)),
            isFolder ? null : GgufStorage.Get(target).With([.. (parse.GetValue(Types) ?? []).Select(Exception)]))
        {
            Bits = target == AwqTarget ? 4 : parse.GetValue(Bits),
            GroupSize = parse.GetValue(GroupSize),
            Symmetric = parse.GetValue(Symmetric),
            BitsPerWeight = parse.GetValue(Budget),
            ImportanceFile = parse.GetValue(Imatrix),
            Report = parse.GetValue(Report) ?? (isFolder ? to.TrimEnd('/', '\\') : to[..^".gguf".Length]) + ".loss",
            Samples = parse.GetValue(CompressionText.Samples),
            SampleTokens = parse.GetValue(CompressionText.SampleTokens),
            Quiet = parse.GetValue(Json),
        };
        using ConvertSource source = ConvertSource.Open(from, parse.GetValue(TokenizerPath), parse.GetValue(Base), context.Cancellation);
        (TokenSequence? tokens, int[]? test) = CompressionText.Read(context, parse, source.Tokenizer);
        Reports.CompressionReport report = new QuantizeRun(context, source, settings).Run(tokens, test);
        if (parse.GetValue(Json))
            context.WriteJson(report.ToJson());
        else
            report.Print(new Facts(context), settings.Report);
        return ExitCode.Done;
    }

    // What a target or method does not heed is said rather than passed over.
    private static void Check(ParseResult parse, bool isFolder)
    {
        string method = parse.GetRequiredValue(Method);
        foreach ((Option option, bool fits, string what) in new (Option, bool, string)[]
        {
            (Bits, parse.GetValue(Target) == GptqTarget, "--target gptq"),
            (Symmetric, parse.GetValue(Target) == GptqTarget, "--target gptq"),
            (GroupSize, isFolder, "--target gptq or awq"),
            (Budget, !isFolder, "GGUF targets"),
            (Types, !isFolder, "GGUF targets"),
            (Imatrix, !isFolder && method is "imatrix" or "rtn", "--method imatrix or rtn with GGUF targets"),
            (ActOrder, method == "gptq", "--method gptq"),
            (TrueSequential, method == "gptq", "--method gptq"),
            (Damping, method == "gptq", "--method gptq"),
            (NoClip, method == "awq", "--method awq"),
            (Alpha, method == "smoothquant", "--method smoothquant"),
        })
        {
            if (!fits && parse.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} is for {what} only; leave it out.");
        }
        if (isFolder && method is "hqq" or "imatrix" && parse.GetValue(Target) is GptqTarget or AwqTarget)
            throw new UsageException($"--method {method} chooses scales of GGUF blocks; take rtn, gptq or awq for this target, or a GGUF target.");
        if (parse.GetResult(Budget) is { Implicit: false } && method is "hqq")
            throw new UsageException("--target-bpw mixes formats, but hqq needs q4_1 or q5_1; take another method.");
    }

    private static (Regex Name, GgufStorage Storage) Exception(string text)
    {
        int at = text.LastIndexOf('=');
        if (at <= 0 || at == text.Length - 1)
            throw new UsageException($"--tensor-type {text}: give a regular expression, = and a type, as in ffn_down=q6_k.");
        try
        {
            return (new Regex(text[..at], RegexOptions.NonBacktracking | RegexOptions.CultureInvariant), GgufStorage.Get(text[(at + 1)..]));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new UsageException($"--tensor-type {text}: {e.Message.Split(" (Parameter", 2)[0]}");
        }
    }
}
