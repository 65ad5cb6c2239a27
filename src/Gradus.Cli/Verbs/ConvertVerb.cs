using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus convert</c>: any model that is read here into a folder in the Hugging Face layout.</summary>
internal static class ConvertVerb
{
    private static readonly Argument<string> From = new("FROM")
    {
        Description = "A model's folder, a run's, an adapter's (which is merged), a llama2.c file or its folder, or a file of tensors beside a config.json.",
    };

    private static readonly Argument<string> To = new("TO")
    {
        Description = "The folder to write: config.json, model.safetensors, tokenizer.json.",
    };

    private static readonly Option<string?> Type = new("--dtype")
    {
        Description = "Type of the stored weights: f32, bf16 or f16; as they are stored now without it.",
        HelpName = "f32|bf16|f16",
    };

    private static readonly Option<string?> TokenizerPath = new("--tokenizer")
    {
        Description = "The tokenizer, where it does not lie beside the model: a file or folder of any format.",
        HelpName = "PATH",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print what was written as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Type.AcceptOnlyFromAmong("f32", "bf16", "f16");
        Verb verb = new("convert", "Write a model of another format, type or with an adapter as a folder in the Hugging Face layout.")
        {
            From, To, Type, TokenizerPath, Json,
        };
        verb.Examples =
        [
            ("convert stories260k stories-hf", "turns a llama2.c model and its tokenizer.bin into a Hugging Face folder"),
            ("convert my-model my-model-bf16 --dtype bf16", "halves a model's size"),
            ("convert runs/lora merged", "writes an adapter's base model with the adapter merged into its weights"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string to = parse.GetRequiredValue(To);
        if (parse.GetRequiredValue(From) is var from && Path.Exists(from) && Path.GetFullPath(from) == Path.GetFullPath(to))
            throw new UsageException($"{to}: is what is to be converted; write to another folder.");
        using ConvertSource source = ConvertSource.Open(from, parse.GetValue(TokenizerPath));
        if (source.Tokenizer is not null)
            ModelFolder.CheckFit(source.Tokenizer, source.Model.Config, from);
        DType type = parse.GetValue(Type) is { } name ? Enum.Parse<DType>(name, ignoreCase: true) : StoredType(source.Model);
        if (type == DType.F16)
            CheckRange(source.Model);
        using (AtomicFolder folder = AtomicFolder.Begin(to))
        {
            Checkpoint.Write(folder, source.Model, type);
            source.Tokenizer?.Save(folder.TemporaryPath);
            if (source.GenerationConfig is { } generation)
                Checkpoint.WriteObject(folder, ConvertSource.GenerationConfigFile, generation);
            context.Cancellation.ThrowIfCancellationRequested();
            folder.Commit();
        }
        Report(context, parse, source, to, type);
        return ExitCode.Done;
    }

    private static void Report(CommandContext context, ParseResult parse, ConvertSource source, string to, DType type)
    {
        if (source.Tokenizer is null)
            context.Note("no tokenizer was found; give one with --tokenizer, or put tokenizer.json into the new folder.");
        if (parse.GetValue(Json))
        {
            context.WriteJson(new JsonObject
            {
                ["folder"] = to,
                ["architecture"] = source.Model.Config.Architecture,
                ["parameters"] = source.Model.ParameterCount,
                ["dtype"] = type.ToString().ToLowerInvariant(),
                ["tokenizer"] = source.Tokenizer?.VocabularySize,
            });
            return;
        }
        Facts facts = new(context);
        facts.Add("model", $"{source.Model.Config.Architecture}, {source.Model.ParameterCount:N0} parameters in {type.ToString().ToLowerInvariant()}");
        facts.Add("tokenizer", source.Tokenizer is { } tokenizer ? $"{tokenizer.VocabularySize:N0} tokens" : "none");
        facts.Add("written to", to);
    }

    // The type that most of the bytes have.
    private static DType StoredType(LanguageModel model) => model.Parameters
        .GroupBy(p => p.Value.DType)
        .MaxBy(g => g.Sum(p => p.Shape.Count * g.Key.Size()))?.Key ?? DType.F32;

    private static void CheckRange(LanguageModel model)
    {
        foreach (Parameter parameter in model.Parameters)
        {
            using Workspace scratch = new(parameter.Value.Device);
            Tensor value = parameter.Value.DType == DType.F32 ? parameter.Value : scratch.Adopt(parameter.Value).ToF32();
            foreach (float x in value.Span())
            {
                if (float.IsFinite(x) && Math.Abs(x) > (float)Half.MaxValue)
                    throw new UsageException($"--dtype f16: {parameter.Name} holds {x}, more than f16's {Half.MaxValue}; use bf16.");
            }
        }
    }
}
