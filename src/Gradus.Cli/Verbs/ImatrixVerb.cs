using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Training.Compression;
using Gradus.Training.Data.Tokens;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus imatrix</c>: measures a model's activations for llama.cpp's importance matrix.</summary>
internal static class ImatrixVerb
{
    private static readonly Argument<string> Model = new("MODEL") { Description = "A model's folder, a run's, an adapter's, a GGUF file, or a model's name on the hub." };

    private static readonly Argument<string> To = new("TO") { Description = "The file to write: llama.cpp's GGUF form, or its former one where the name ends with .dat." };

    private static readonly Option<string?> TokenizerPath = new("--tokenizer") { Description = "The tokenizer, where it does not lie beside the model.", HelpName = "PATH" };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("imatrix", "Measure which inputs of a model's layers are large, for quantizing: llama.cpp's importance matrix.")
        {
            Model, To, CompressionText.Data, CompressionText.Samples, CompressionText.SampleTokens, CompressionText.Fetch, TokenizerPath, Base,
        };
        verb.Examples =
        [
            ("imatrix my-model imatrix.gguf --data text.txt", "lets the model read 128 pieces of a text"),
            ("quantize my-model my-model.gguf --method imatrix --target q4_0 --imatrix imatrix.gguf", "quantizes with what was measured"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string to = parse.GetRequiredValue(To);
        using ConvertSource source = ConvertSource.Open(parse.GetRequiredValue(Model), parse.GetValue(TokenizerPath), parse.GetValue(Base), context.Cancellation);
        using LanguageModel model = QuantizeVerb.Load(source);
        (TokenSequence? tokens, _) = CompressionText.Read(context, parse, source.Tokenizer);
        CalibrationText text = CalibrationText.Of(tokens ?? throw new UsageException("imatrix: --data is missing; give text to measure activations on."), model, parse.GetValue(CompressionText.Samples), parse.GetValue(CompressionText.SampleTokens));
        IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> targets = GgufQuantization.TargetsOf(model, source.Config, source.Tokenizer, GgufStorage.Get("f16"));
        ImportanceMatrix matrix = ImportanceMatrix.Of(
            InputMoments.Of(model, text, context.Cancellation), targets, text, [.. (parse.GetValue(CompressionText.Data) ?? []).Select(d => Path.GetFileName(d))]);
        ImportanceMatrixFile.Write(to, matrix);
        Facts facts = new(context);
        facts.Add("read", $"{text.Tokens:N0} tokens in {matrix.Chunks:N0} pieces");
        facts.Add("measured", $"{matrix.Entries.Count:N0} tensors on {CpuDevice.Default.Name}");
        facts.Add("written to", to);
        return ExitCode.Done;
    }
}
