using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Verbs;

using CommandContext context = new();
return new Application(context,
[
    QuickstartVerb.Create(context),
    DataVerb.Create(context),
    SmallWorldVerb.Create(context),
    TokenizerVerb.Create(context),
    PretrainVerb.Create(context),
    FinetuneVerb.Create(context),
    EvaluateVerb.Create(context),
    RunVerb.Create(context),
    InspectVerb.Create(context),
    ConvertVerb.Create(context),
    PullVerb.Create(context),
    GenerateVerb.Create(context),
    ChatVerb.Create(context),
    BenchVerb.Create(context),
    DocsVerb.Create(context),
    SchemaVerb.Create(context,
    [
        new RecipeKind("pretrain", "train a model on text", () => ConfigurationSchema.Write(RecipeJson.Default.PretrainRecipe, new PretrainRecipe())),
        new RecipeKind("finetune", "train a model on conversations", () => ConfigurationSchema.Write(RecipeJson.Default.FinetuneRecipe, new FinetuneRecipe())),
        new RecipeKind("evaluate", "measure models", () => ConfigurationSchema.Write(RecipeJson.Default.EvaluateRecipe, new EvaluateRecipe())),
        new RecipeKind("run", "several stages", () => ConfigurationSchema.Write(RecipeJson.Default.PipelineRecipe, new PipelineRecipe())),
    ]),
]).Run(args);
