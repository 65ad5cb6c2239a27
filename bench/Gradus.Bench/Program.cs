// gradus-bench [training|products|bf16|packed|generation|plan|schedule[:requests]|conversion|tokenizers|coldload|evaluation|cleaning[=MB]|structure|retrieval[:vectors]|serve|soak[:requests]] …: measures what is asked for, everything
// but plan, schedule, coldload, evaluation, cleaning, structure, retrieval, serve and soak where nothing is.

using Gradus.Bench;
using Gradus.Tensors.Cpu;

if (args is [("page-in" or "first-token") and var verb, var model])
    return FirstTokenBench.Child(verb, model);
string[] parts = args.Length == 0 ? ["products", "bf16", "packed", "training", "generation", "conversion", "tokenizers"] : args;
if (args is [ColdLoadBench.ChildArgument, string file])
    return ColdLoadBench.Child(file);
int[] threads = Environment.ProcessorCount > 1 ? [1, Environment.ProcessorCount] : [1];
foreach (string part in parts)
{
    Console.WriteLine($"== {part}");
    switch (part)
    {
        case "products":
            GemmBench.Run(Console.Out, CpuFeatures.Best, threads);
            break;
        case "bf16":
            GemmBf16Bench.Run(Console.Out, threads);
            break;
        case "packed":
            PackedBench.Run(Console.Out, CpuFeatures.Best, threads);
            break;
        case "conversion":
            ConversionBench.Run(Console.Out);
            break;
        case "training":
            TrainingBench.Run(Console.Out);
            break;
        case "plan":
            PlanBench.Run(Console.WriteLine);
            break;
        case "generation":
            GenerationBench.Run();
            break;
        case "schedule":
        case { } schedule when schedule.StartsWith("schedule:", StringComparison.Ordinal):
            ScheduleBench.Run(part.Length > 9 ? int.Parse(part.AsSpan(9), System.Globalization.CultureInfo.InvariantCulture) : 10_000);
            break;
        case "tokenizers":
            TokenizersBench.Run(Shared(), Console.WriteLine);
            break;
        case "evaluation":
            EvaluationBench.Run(Console.WriteLine);
            break;
        case "coldload":
            ColdLoadBench.Run(Shared(), Console.WriteLine);
            break;
        case var cleaning when cleaning == "cleaning" || (cleaning.StartsWith("cleaning=", StringComparison.Ordinal) && int.TryParse(cleaning["cleaning=".Length..], out int asked) && asked > 0):
            CleaningBench.Run(Console.Out, cleaning == "cleaning" ? 200 : int.Parse(cleaning["cleaning=".Length..], System.Globalization.CultureInfo.InvariantCulture));
            break;
        case "structure":
            StructureBench.Run(Shared(), Console.WriteLine);
            break;
        case "retrieval":
        case { } retrieval when retrieval.StartsWith("retrieval:", StringComparison.Ordinal):
            RetrievalBench.Run(Console.Out, Shared(), part.Length > 10 ? int.Parse(part.AsSpan(10), System.Globalization.CultureInfo.InvariantCulture) : 100_000);
            break;
        case "serve":
            await ServerBench.Clients(Console.WriteLine);
            break;
        case { } soak when soak == "soak" || soak.StartsWith("soak:", StringComparison.Ordinal):
            await ServerBench.Soak(soak.Length > 5 ? int.Parse(soak.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture) : 100_000, Console.WriteLine);
            break;
        default:
            Console.Error.WriteLine($"{part}: no such part; parts are products, bf16, packed, training, generation, schedule, conversion, tokenizers, coldload, evaluation, cleaning, structure, retrieval, serve, soak.");
            return 2;
    }
}
return 0;

static string Shared() => Environment.GetEnvironmentVariable("GRADUS_SHARED")
    ?? throw new InvalidOperationException("GRADUS_SHARED is not set; it names the folder of texts and vocabularies that this part measures on.");
